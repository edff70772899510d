import { describe, expect, test } from "@jest/globals";
import type { KubeObject } from "#cluster/api/meta.ts";
import { keyOfChange } from "#pilot/model/change.ts";
import { HttpRouteFeed } from "./http-route-feed.ts";

function service(name: string): KubeObject {
  const metadata = { name, namespace: "default" };
  return { apiVersion: "v1", kind: "Service", metadata, spec: { ports: [{ port: 80 }] } };
}

function route(name: string, to: string): KubeObject {
  return {
    apiVersion: "gateway.networking.k8s.io/v1",
    kind: "HTTPRoute",
    metadata: { name, namespace: "default" },
    spec: {
      parentRefs: [{ group: "", kind: "Service", name: "web" }],
      rules: [{ backendRefs: [{ name: to, port: 80 }] }],
    },
  };
}

describe("HTTPRoutes in the model", () => {
  const verdicts: string[] = [];
  const feed = new HttpRouteFeed({
    clusterDomain: "cluster.local",
    onVerdict: (key) => verdicts.push(key),
  });
  const told = (object: KubeObject, type: "upsert" | "delete" = "upsert"): string[] => {
    verdicts.length = 0;
    return feed.handle({ type, object }).map((one) => `${one.type} ${keyOfChange(one)}`);
  };
  const web = "HTTPRoute/default/default~web.default.svc.cluster.local";

  test("wait for what they are attached to, and follow what they name", () => {
    expect(told(route("a", "api"))).toEqual([]);
    expect(feed.problems().map(({ reason }) => reason)).toEqual(["UnknownParent"]);
    expect(told(service("other"))).toEqual([]);
    expect(verdicts).toEqual([]);
    expect(told(service("web"))).toEqual([`upsert ${web}`]);
    expect(verdicts).toEqual(["HTTPRoute/default/a"]);
    const reason = (): string | undefined =>
      feed.parentsOf("HTTPRoute/default/a")?.[0]?.unresolved?.reason;
    expect(reason()).toBe("BackendNotFound");
    // The rule is the same whether its destination exists or not.
    expect(told(service("api"))).toEqual([]);
    expect(reason()).toBeUndefined();
    expect(verdicts).toEqual(["HTTPRoute/default/a"]);
  });

  test("share a host until the last is gone", () => {
    expect(told(route("b", "api"))).toEqual([`upsert ${web}`]);
    expect(told(route("a", "api"), "delete")).toEqual([`upsert ${web}`]);
    expect(told(route("b", "api"))).toEqual([]);
    expect(told(route("b", "api"), "delete")).toEqual([`delete ${web}`]);
    expect(feed.problems()).toEqual([]);
  });
});
