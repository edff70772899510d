import { describe, expect, test } from "@jest/globals";
import type { Container, Pod } from "#cluster/api/generated/core-v1.ts";
import { type EnvSources, buildEnv } from "./env.ts";
import { expand } from "./expansion.ts";

test.each([
  ["$(A)-$(B)", "1-$(B)"],
  ["$$(A)", "$(A)"],
  ["$A $", "$A $"],
  ["$(A", "$(A"],
  ["$(A)$(A)", "11"],
])("%s expands to %s", (text, wanted) => {
  expect(expand(text, new Map([["A", "1"]]))).toBe(wanted);
});

describe("a container's environment", () => {
  const pod: Pod = { metadata: { name: "example", namespace: "default", uid: "1" } };
  const sources: EnvSources = {
    configMap: (name) =>
      name === "settings"
        ? { metadata: { name }, data: { COLOR: "red", "bad key": "x" } }
        : undefined,
    secret: (name) =>
      name === "hidden" ? { metadata: { name }, data: { WORD: btoa("psst") } } : undefined,
    services: [
      {
        metadata: { name: "my-svc", namespace: "default" },
        spec: { clusterIP: "198.51.100.7", ports: [{ name: "http", port: 80 }] },
      },
    ],
    facts: {
      nodeName: "node-1",
      nodeAddress: "192.0.2.1",
      allocatable: { cpu: "2", memory: "1Gi", "ephemeral-storage": "1Gi" },
    },
    podIp: "192.0.2.9",
  };
  const build = (container: Partial<Container>) =>
    buildEnv(pod, { name: "main", ...container }, sources);

  test("later variables see earlier ones and win", () => {
    const built = build({
      envFrom: [
        { prefix: "P_", configMapRef: { name: "settings" } },
        { secretRef: { name: "hidden" } },
      ],
      env: [
        { name: "WORD", value: "loud" },
        { name: "ALL", value: "$(P_COLOR) $(WORD) $(MY_SVC_SERVICE_HOST) $(LATER)" },
        { name: "LATER", value: "x" },
        { name: "IP", valueFrom: { fieldRef: { fieldPath: "status.podIP" } } },
        { name: "CPUS", valueFrom: { resourceFieldRef: { resource: "limits.cpu" } } },
      ],
    });
    expect(built.ok && Object.fromEntries(built.env)).toMatchObject({
      P_COLOR: "red",
      WORD: "loud",
      ALL: "red loud 198.51.100.7 $(LATER)",
      IP: "192.0.2.9",
      CPUS: "2",
      MY_SVC_PORT_80_TCP_ADDR: "198.51.100.7",
      MY_SVC_SERVICE_PORT_HTTP: "80",
    });
    expect(built.ok && built.skipped).toEqual(["P_bad key"]);
  });

  test.each<[Partial<Container>, string]>([
    [{ envFrom: [{ configMapRef: { name: "gone" } }] }, 'configmap "gone" not found'],
    [
      { env: [{ name: "X", valueFrom: { secretKeyRef: { name: "hidden", key: "gone" } } }] },
      "couldn't find key gone in Secret default/hidden",
    ],
    [
      { env: [{ name: "X", valueFrom: { fieldRef: { fieldPath: "spec.secret" } } }] },
      "unsupported fieldPath: spec.secret",
    ],
  ])("%j fails in Kubernetes' words", (container, message) => {
    expect(build(container)).toEqual({ ok: false, message });
  });

  test("what is optional may be missing", () => {
    const built = build({
      envFrom: [{ configMapRef: { name: "gone", optional: true } }],
      env: [
        {
          name: "X",
          valueFrom: { configMapKeyRef: { name: "gone", key: "k", optional: true } },
        },
      ],
    });
    expect(built.ok && built.env.has("X")).toBe(false);
  });
});
