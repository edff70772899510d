import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import {
  CONFIG_MAPS,
  CUSTOM_RESOURCE_DEFINITIONS,
  INGRESSES,
  NAMESPACES,
  PODS,
  SECRETS,
  SERVICES,
} from "#cluster/api/resources.ts";
import { statusError } from "#cluster/api/status-error.ts";
import { FakeApi } from "#cluster/client/testing/fake-api.ts";
import { waitUntil } from "#cluster/client/testing/wait-until.ts";
import { keyOfChange } from "#pilot/model/change.ts";
import type { Change } from "#pilot/model/change.ts";
import { WATCHED_CONFIG } from "#pilot/registry/registry.ts";
import { startKubernetesSource } from "./kubernetes-source.ts";
import { ObjectFeed } from "./object-feed.ts";

const [VIRTUAL_SERVICES] = WATCHED_CONFIG;
if (VIRTUAL_SERVICES === undefined) throw new Error("nothing is watched");
let abort: AbortController;
beforeEach(() => {
  abort = new AbortController();
});
afterEach(() => abort.abort());

/** A cluster that knows VirtualServices only while their definition exists. */
function cluster(): { api: FakeApi; world: Map<string, Change>; start: () => Promise<void> } {
  const api = new FakeApi();
  let defined = false;
  api.onRequest = ({ resource, verb }) => {
    if (resource.kind === "CustomResourceDefinition" && verb === "create") defined = true;
    if (resource.group === "networking.istio.io" && !defined) {
      throw statusError("NotFound", "the server could not find the requested resource");
    }
  };
  const world = new Map<string, Change>();
  const feed = new ObjectFeed({
    clusterDomain: "cluster.local",
    log: () => undefined,
    apply(changes) {
      for (const change of changes) world.set(keyOfChange(change), change);
    },
  });
  const { signal } = abort;
  const start = () => startKubernetesSource({ client: api, feed, log: () => undefined, signal });
  return { api, world, start };
}

describe("a cluster as a source", () => {
  test("tells of certificates, and keeps nothing else of Secrets and ConfigMaps", async () => {
    const { api, world, start } = cluster();
    const metadata = { name: "web", namespace: "default" };
    const data = { "tls.crt": "QQ==", password: "Qg==" };
    await api.create(SECRETS, { metadata, type: "kubernetes.io/tls", data });
    await api.create(CONFIG_MAPS, { metadata, data: { "ca.crt": "authority", other: "text" } });
    await api.create(CONFIG_MAPS, {
      metadata: { name: "istio", namespace: "istio-system" },
      data: { mesh: "trustDomain: example.org" },
    });
    await start();
    const dataOf = (key: string): unknown => {
      const change = world.get(key);
      if (change?.type !== "upsert" || change.object.kind !== "Credential") return undefined;
      return Object.keys(change.object.data);
    };
    expect(dataOf("Secret/default/web")).toEqual(["tls.crt"]);
    expect(dataOf("ConfigMap/default/web")).toEqual(["ca.crt"]);
    expect(world.get("MeshConfig//mesh")).toMatchObject({
      object: { mesh: { trustDomain: "example.org" } },
    });
    await api.delete(SECRETS, metadata);
    await waitUntil("it is gone", () => world.get("Secret/default/web")?.type === "delete");
  });

  test("is delivered wholly, then followed, and learns kinds that are defined later", async () => {
    const { api, world, start } = cluster();
    const metadata = { name: "a", namespace: "default" };
    await api.create(NAMESPACES, { metadata: { name: "default" } });
    await api.create(SERVICES, { metadata, spec: { ports: [{ port: 80 }] } });
    await start();
    expect(world.get("Service/default/a")).toMatchObject({ type: "upsert" });
    const pod = { metadata, spec: { containers: [] }, status: { podIP: "192.0.2.1" } };
    await api.create(PODS, pod);
    await waitUntil("the pod is seen", () => world.has("Workload/default/pod/a"));
    await api.delete(SERVICES, metadata);
    await waitUntil("it is gone", () => world.get("Service/default/a")?.type === "delete");
    await api.create(CUSTOM_RESOURCE_DEFINITIONS, {
      metadata: { name: "virtualservices.networking.istio.io" },
      spec: {
        group: "networking.istio.io",
        names: { kind: "VirtualService", plural: "virtualservices" },
        scope: "Namespaced",
        versions: [
          { name: "v1beta1", served: true, storage: true },
          { name: "v1", served: true, storage: false },
        ],
      },
    });
    await api.create(VIRTUAL_SERVICES, { metadata, spec: { hosts: ["a"] } });
    await waitUntil("it is seen", () => world.has("VirtualService/default/a"));
  });

  test("turns an Ingress into Gateway and VirtualService, and takes them back with it", async () => {
    const { api, world, start } = cluster();
    const metadata = { name: "web", namespace: "default" };
    const backend = { service: { name: "a", port: { number: 80 } } };
    const paths = [{ path: "/", pathType: "Prefix", backend }];
    await api.create(SERVICES, {
      metadata: { name: "a", namespace: "default" },
      spec: { ports: [{ port: 80 }] },
    });
    await api.create(INGRESSES, {
      metadata: { ...metadata, annotations: { "kubernetes.io/ingress.class": "istio" } },
      spec: { rules: [{ host: "web.example.org", http: { paths } }] },
    });
    await start();
    const made = [...world.keys()].filter((key) => key.startsWith("Ingress/"));
    expect(made).toHaveLength(2);
    await api.delete(INGRESSES, metadata);
    await waitUntil("both are gone", () => made.every((key) => world.get(key)?.type === "delete"));
  });
});
