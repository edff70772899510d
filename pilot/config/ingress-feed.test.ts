import { describe, expect, test } from "@jest/globals";
import type { KubeObject } from "#cluster/api/meta.ts";
import { keyOfChange } from "#pilot/model/change.ts";
import { IngressFeed } from "./ingress-feed.ts";

const INGRESS: KubeObject = {
  apiVersion: "networking.k8s.io/v1",
  kind: "Ingress",
  metadata: {
    name: "web",
    namespace: "default",
    annotations: { "kubernetes.io/ingress.class": "istio" },
  },
  spec: { rules: [{ host: "web.example.org", http: { paths: [] } }] },
};

function settings(mesh: string): KubeObject {
  const metadata = { name: "istio", namespace: "istio-system" };
  return { apiVersion: "v1", kind: "ConfigMap", metadata, data: { mesh } };
}

describe("Ingresses in the model", () => {
  test("follow the mesh's settings", () => {
    const feed = new IngressFeed("cluster.local");
    const told = (object: KubeObject): string[] =>
      feed.handle({ type: "upsert", object }).map((one) => `${one.type} ${keyOfChange(one)}`);
    const objects = ["Ingress/default/web/gateway", "Ingress/default/web/web.example.org"];
    expect(told(INGRESS)).toEqual(objects.map((key) => `upsert ${key}`));
    expect(told(settings("accessLogFile: /dev/stdout"))).toEqual([]);
    expect(told(settings("ingressControllerMode: OFF"))).toEqual(
      objects.map((key) => `delete ${key}`),
    );
    expect(told(settings("ingressSelector: edge"))).toEqual(objects.map((key) => `upsert ${key}`));
  });
});
