/** What objects say of themselves and kubectl of them: on a real cluster, with a real Envoy that refuses. */

import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { KUBECTL, startCluster } from "./cluster.ts";
import type { TestCluster } from "./cluster.ts";
import { manifest } from "./echo.ts";
import { eventually } from "./eventually.ts";

const suite = KUBECTL === undefined ? describe.skip : describe;

suite("the word of an object", () => {
  let cluster: TestCluster;

  beforeAll(async () => {
    cluster = await startCluster("status", []);
    await cluster.kubectlOk(["apply", "-f", "-"], manifest(GATEWAY, SERVICE));
  }, 120_000);

  afterAll(async () => {
    await cluster.down();
  }, 60_000);

  const wait = (what: string, condition: string, namespace = "default"): Promise<string> =>
    cluster.kubectlOk([
      "wait",
      `--for=condition=${condition}`,
      what,
      `--namespace=${namespace}`,
      "--timeout=10s",
    ]);
  const messageOf = (what: string, type: string, namespace = "default"): Promise<string> =>
    cluster.kubectlOk([
      "get",
      what,
      `--namespace=${namespace}`,
      "-o",
      `jsonpath={.status.conditions[?(@.type=="${type}")].message}`,
    ]);

  test("is waited for until the gateway lives by it, and shown in lists", async () => {
    await cluster.kubectlOk(["apply", "-f", "-"], manifest(rules({ timeout: "1s" })));
    expect(await wait("virtualservice/web", "Applied")).toContain("condition met");
    await eventually("the gateway", 10_000, async () =>
      (await messageOf("virtualservice/web", "Applied")).startsWith("live on 1/1 proxies"),
    );
    for (const timeout of ["2s", "3s", "4s"]) {
      await cluster.kubectlOk(["apply", "-f", "-"], manifest(rules({ timeout })));
      await wait("virtualservice/web", "Applied");
      const message = await messageOf("virtualservice/web", "Applied");
      expect(message).toMatch(/^live on 1\/1 proxies after \d+ ms$/);
    }
    const listed = await cluster.kubectlOk(["get", "vs,gw"]);
    expect(listed).toMatch(/GATEWAYS +HOSTS +APPLIED +AGE\n.*\/web .*True/);
    expect(listed).toMatch(/gateway.networking.istio.io\/edge +True/);
  }, 30_000);

  test("tells what Envoy refuses of it, in Envoy's words, until it is mended", async () => {
    await cluster.kubectlOk(["apply", "-f", "-"], manifest(patch("-1s")));
    await wait("envoyfilter/slow", "Applied=False", "istio-system");
    expect(await messageOf("envoyfilter/slow", "Applied", "istio-system")).toMatch(
      /^spec.configPatches\[0\]: 1 proxy refuses what it makes of cds .*: .*duration/,
    );
    await cluster.kubectlOk(["apply", "-f", "-"], manifest(patch("3s")));
    await wait("envoyfilter/slow", "Applied", "istio-system");
  }, 30_000);

  test("comes before it is stored: warnings of what is missing, refusals of what can't be", async () => {
    const route = [{ destination: { host: "nobody" } }];
    const lost = rules({ route }, { name: "lost", gateways: ["edge", "none"] });
    const warned = await cluster.kubectl(["apply", "-f", "-"], manifest(lost));
    expect(warned.code).toBe(0);
    expect(warned.stderr).toContain("Warning: spec.gateways[1]: there is no Gateway default/none");
    expect(warned.stderr).toContain("Warning: spec.http[0].route[0].destination.host: ");
    await wait("virtualservice/lost", "Complete=False");
    const weightless = [0, 1].map(() => ({ destination: { host: "web" }, weight: 0 }));
    const refused = await cluster.kubectl(
      ["apply", "-f", "-"],
      manifest(rules({ route: weightless })),
    );
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain("spec.http[0].route: no destination has a weight");
    const dry = ["apply", "--dry-run=server", "-f", "-"];
    const policy = await cluster.kubectl(dry, manifest(POLICY));
    expect(policy.stderr).toContain("Warning: not supported yet");
    const broken = { ...POLICY, spec: { ...POLICY.spec, portLevelMtls: { 80: {} } } };
    const impossible = await cluster.kubectl(["apply", "-f", "-"], manifest(broken));
    expect(impossible.stderr).toContain("portLevelMtls requires selector");
  }, 30_000);
});

const GATEWAY = {
  apiVersion: "networking.istio.io/v1",
  kind: "Gateway",
  metadata: { name: "edge" },
  spec: {
    selector: { istio: "ingressgateway" },
    servers: [{ port: { number: 80, name: "http", protocol: "HTTP" }, hosts: ["*"] }],
  },
};

const SERVICE = {
  apiVersion: "v1",
  kind: "Service",
  metadata: { name: "web" },
  spec: { selector: { app: "web" }, ports: [{ name: "http", port: 80 }] },
};

const POLICY = {
  apiVersion: "security.istio.io/v1",
  kind: "PeerAuthentication",
  metadata: { name: "strict" },
  spec: { mtls: { mode: "STRICT" } },
};

function rules(http: object, { name = "web", gateways = ["edge"] } = {}): object {
  const route = [{ destination: { host: "web" } }];
  return {
    apiVersion: "networking.istio.io/v1",
    kind: "VirtualService",
    metadata: { name },
    spec: { hosts: [`${name}.example.org`], gateways, http: [{ route, ...http }] },
  };
}

function patch(timeout: string): object {
  return {
    apiVersion: "networking.istio.io/v1alpha3",
    kind: "EnvoyFilter",
    metadata: { name: "slow", namespace: "istio-system" },
    spec: {
      configPatches: [
        {
          applyTo: "CLUSTER",
          match: {
            context: "GATEWAY",
            cluster: { service: "web.default.svc.cluster.local" },
          },
          patch: { operation: "MERGE", value: { connect_timeout: timeout } },
        },
      ],
    },
  };
}
