import { describe, expect, test } from "@jest/globals";
import { parseProxy } from "./proxy.ts";

const ID = "sidecar~192.0.2.1~web-1.default~default.svc.cluster.local";

function problemsOf(node: Parameters<typeof parseProxy>[0]): string[] {
  const result = parseProxy(node);
  return result.ok ? [] : result.problems.map(({ path, message }) => `${path}: ${message}`);
}

describe("a proxy's node", () => {
  test("says what it is, where and for whom", () => {
    const result = parseProxy({
      id: ID,
      metadata: {
        NAMESPACE: "default",
        LABELS: { version: "v1", app: "web" },
        INSTANCE_IPS: "192.0.2.1,2001:db8::1,junk",
        SERVICE_ACCOUNT: "web",
        NETWORK: "net-1",
      },
      locality: { region: "north", zone: "a", sub_zone: "r1" },
      userAgentVersion: "1.40.0",
    });
    expect(result).toMatchObject({
      ok: true,
      proxy: {
        id: ID,
        type: "sidecar",
        name: "web-1.default",
        namespace: "default",
        clusterDomain: "cluster.local",
        addresses: ["192.0.2.1", "2001:db8::1"],
        labels: { app: "web", version: "v1" },
        serviceAccount: "web",
        locality: { region: "north", zone: "a", subZone: "r1" },
        network: "net-1",
        node: "",
        cluster: "",
        version: "1.40.0",
      },
    });
  });

  test("takes its namespace from its name, its place from a label", () => {
    const labels = { "istio-locality": "south.b.r2" };
    const result = parseProxy({ id: ID, metadata: { LABELS: labels } });
    expect(result).toMatchObject({
      ok: true,
      proxy: { namespace: "default", locality: { region: "south", zone: "b", subZone: "r2" } },
    });
  });

  test.each([
    ["no text", 7],
    ["too few parts", "sidecar~192.0.2.1"],
    ["another type", "waypoint~192.0.2.1~a.default~default.svc.cluster.local"],
    ["no address", "sidecar~host~a.default~default.svc.cluster.local"],
    ["a path for a name", "sidecar~192.0.2.1~../../etc.default~default.svc.cluster.local"],
    ["megabytes", `sidecar~192.0.2.1~${"a".repeat(5_000_000)}.default~default.svc.cluster.local`],
  ])("is refused with an id of %s", (_name, id) => {
    expect(problemsOf({ id }).length).toBeGreaterThan(0);
  });

  test.each([
    ["a namespace with a slash", { NAMESPACE: "a/b" }],
    ["labels that are no text", { LABELS: { a: 1 } }],
    ["label values that break out", { LABELS: { a: "x\n[y]" } }],
    ["thousands of labels", { LABELS: Object.fromEntries(numbered(5000)) }],
  ])("is refused with %s", (_name, metadata) => {
    expect(problemsOf({ id: ID, metadata }).length).toBeGreaterThan(0);
  });

  test("reads no prototype", () => {
    const metadata: unknown = JSON.parse('{"__proto__": {"NAMESPACE": "evil"}}');
    expect(parseProxy({ id: ID, metadata })).toMatchObject({ proxy: { namespace: "default" } });
  });
});

function numbered(count: number): [string, string][] {
  return Array.from({ length: count }, (_none, at) => [`l${at}`, "x"]);
}
