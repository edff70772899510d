/** What objects say of themselves: a real API server, the discovery server, clients that speak ADS. */

import { execFile } from "node:child_process";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { applyObject } from "#cluster/client/apply-object.ts";
import { CUSTOM_RESOURCE_DEFINITIONS, NAMESPACES, SERVICES } from "#cluster/api/resources.ts";
import type { Resource } from "#cluster/api/resources.ts";
import type { KubeObject } from "#cluster/api/meta.ts";
import { createClient } from "#cluster/client/http-client.ts";
import type { KubeClient } from "#cluster/client/client.ts";
import { loadKubeconfig } from "#cluster/client/kubeconfig.ts";
import { startTestServer } from "#cluster/apiserver/testing/test-server.ts";
import type { TestServer } from "#cluster/apiserver/testing/test-server.ts";
import { loadCrds } from "#crds/load.ts";
import { servePilot } from "#pilot/serve.ts";
import type { ServeOptions } from "#pilot/serve.ts";
import { KUBECTL } from "#test/e2e/cluster.ts";
import { eventually } from "#test/e2e/eventually.ts";
import { AdsClient, sidecarNode } from "./ads-client.ts";

const VIRTUAL_SERVICES: Resource = {
  group: "networking.istio.io",
  version: "v1",
  plural: "virtualservices",
  kind: "VirtualService",
  namespaced: true,
};

const PEER_AUTHENTICATIONS: Resource = {
  group: "security.istio.io",
  version: "v1",
  plural: "peerauthentications",
  kind: "PeerAuthentication",
  namespaced: true,
};

const HTTP_ROUTES: Resource = {
  group: "gateway.networking.k8s.io",
  version: "v1",
  plural: "httproutes",
  kind: "HTTPRoute",
  namespaced: true,
};

const WEB = { namespace: "default", name: "web" };

interface Told {
  type: string;
  status: string;
  reason: string;
  message: string;
  observedGeneration: number;
}

const suite = KUBECTL === undefined ? describe.skip : describe;

suite("the status of objects", () => {
  const abort = new AbortController();
  const clients: AdsClient[] = [];
  let server: TestServer;
  let client: KubeClient;
  let port: number;
  const running: Promise<void>[] = [];

  beforeAll(async () => {
    server = await startTestServer();
    client = createClient(await loadKubeconfig(server.kubeconfig));
    await Promise.all(
      loadCrds().map((crd) => applyObject(client, CUSTOM_RESOURCE_DEFINITIONS, crd)),
    );
    await applyObject(client, NAMESPACES, { metadata: { name: "istio-system" } });
    await applyObject(client, SERVICES, {
      metadata: { name: "web", namespace: "default" },
      spec: { ports: [{ name: "http", port: 80 }] },
    });
    port = await startPilot({ webhook: "127.0.0.1:0" });
  }, 30_000);

  /** Resolves with the port of its ADS server. */
  function startPilot(more: Partial<ServeOptions>): Promise<number> {
    return new Promise((resolve) => {
      const options = {
        kubeconfig: server.kubeconfig,
        grpc: "127.0.0.1:0",
        insecure: true,
        serving: server.config.serving,
        log: () => undefined,
        onReady: (line: string) => resolve(Number(line.split(":").at(-1))),
        ...more,
      };
      running.push(servePilot(options, abort.signal));
    });
  }

  afterAll(async () => {
    for (const one of clients) one.close();
    abort.abort();
    await Promise.all(running);
    client.close();
    await server.remove();
  });

  function connect(pod: string, at = port): AdsClient {
    const one = new AdsClient(at, sidecarNode(pod, "default"));
    clients.push(one);
    return one;
  }

  /** Everything that it prints; its exit code doesn't matter. */
  function kubectl(args: string[], input = ""): Promise<string> {
    return new Promise((resolve) => {
      const child = execFile(
        KUBECTL ?? "kubectl",
        ["--kubeconfig", server.kubeconfig, ...args],
        (_error, out, errors) => resolve(errors + out),
      );
      child.stdin?.on("error", () => undefined);
      child.stdin?.end(input);
    });
  }

  const rule = (http: object[], hosts = ["web"]): Promise<KubeObject> =>
    applyObject(client, VIRTUAL_SERVICES, {
      metadata: { name: "web", namespace: "default" },
      spec: { hosts, http },
    });

  async function conditions(
    resource: Resource,
    name: string,
    isWanted: (told: Record<string, Told>) => boolean,
  ): Promise<Record<string, Told>> {
    let told: Record<string, Told> = {};
    await eventually(`the status of ${name}`, 10_000, async () => {
      const object = await client.get(resource, { namespace: "default", name });
      const { conditions: list = [] } = (object.status ?? {}) as { conditions?: Told[] };
      const { generation } = object.metadata;
      told = Object.fromEntries(list.map((one) => [one.type, one]));
      return list.every((one) => one.observedGeneration === generation) && isWanted(told);
    });
    return told;
  }

  test("tells on how many proxies a generation is live, and what has no effect", async () => {
    connect("a");
    connect("b");
    await eventually("routes", 10_000, async () => clients.every((one) => one.received.length > 3));
    await rule([{ route: [{ destination: { host: "web" } }] }]);
    const { Applied, Complete } = await conditions(
      VIRTUAL_SERVICES,
      "web",
      (told) => told["Applied"]?.reason === "Live",
    );
    expect(Applied).toMatchObject({ status: "True", observedGeneration: 1 });
    expect(Applied?.message).toMatch(/^live on 2\/2 proxies after \d+ ms$/);
    expect(Complete).toMatchObject({ status: "True" });

    await rule([{ route: [{ destination: { host: "nobody.example.org" } }] }]);
    const second = await conditions(
      VIRTUAL_SERVICES,
      "web",
      (told) => told["Complete"]?.status === "False",
    );
    expect(second["Complete"]?.message).toContain("spec.http[0].route[0].destination");
    expect(second["Applied"]).toMatchObject({ status: "True", observedGeneration: 2 });
  }, 30_000);

  test("tells what proxies refuse, and forgets it when they don't", async () => {
    const [first] = clients;
    first?.refuse.add("80/web.default.svc.cluster.local:80");
    await rule([{ timeout: "3s", route: [{ destination: { host: "web" } }] }]);
    const refused = await conditions(
      VIRTUAL_SERVICES,
      "web",
      (told) => told["Applied"]?.status === "False",
    );
    expect(refused["Applied"]).toMatchObject({ reason: "RefusedByProxy" });
    expect(refused["Applied"]?.message).toMatch(/^spec.*: 1 proxy refuses what it makes of /);
    await rule([{ timeout: "4s", route: [{ destination: { host: "web" } }] }]);
    await conditions(VIRTUAL_SERVICES, "web", (told) => told["Applied"]?.status === "True");
  }, 30_000);

  test("is what kubectl waits for and shows", async () => {
    await rule([{ timeout: "5s", route: [{ destination: { host: "web" } }] }]);
    const waited = await kubectl(["wait", "--for=condition=Applied", "virtualservice/web"]);
    expect(waited).toContain("virtualservice.networking.istio.io/web condition met");
    const { status, metadata } = await client.get(VIRTUAL_SERVICES, WEB);
    expect(status).toMatchObject({ observedGeneration: metadata.generation });
    expect(await kubectl(["get", "vs", "web"])).toMatch(/APPLIED +AGE\nweb .* True /);
  }, 30_000);

  test("of an HTTPRoute is about its parents", async () => {
    const told = async (wanted: string[]): Promise<void> => {
      await eventually(wanted.join(), 10_000, async () => {
        const { status, metadata } = await client.get(HTTP_ROUTES, WEB);
        const { parents = [] } = (status ?? {}) as { parents?: { conditions: Told[] }[] };
        const conditionsTold = parents.flatMap((parent) => parent.conditions);
        return (
          conditionsTold.every((one) => one.observedGeneration === metadata.generation) &&
          conditionsTold.map(({ reason }) => reason).join() === wanted.join()
        );
      });
    };
    const parentRefs = ["web", "later"].map((name) => ({ group: "", kind: "Service", name }));
    const route = {
      metadata: WEB,
      spec: { parentRefs, rules: [{ backendRefs: [{ name: "later", port: 80 }] }] },
    };
    await applyObject(client, HTTP_ROUTES, route);
    await told(["Accepted", "BackendNotFound", "NoMatchingParent", "BackendNotFound"]);
    await applyObject(client, SERVICES, {
      metadata: { name: "later", namespace: "default" },
      spec: { ports: [{ name: "http", port: 80 }] },
    });
    await told(["Accepted", "ResolvedRefs", "Accepted", "ResolvedRefs"]);
    await client.delete(HTTP_ROUTES, WEB);
  }, 30_000);

  test("and what a rule can't reach or can't be is told when it is applied", async () => {
    const text = (http: object[], more = {}): string =>
      JSON.stringify({
        apiVersion: "networking.istio.io/v1",
        kind: "VirtualService",
        metadata: { name: "told", namespace: "default" },
        spec: { hosts: ["told.example.org"], http, ...more },
      });
    const route = [{ destination: { host: "web", subset: "none" } }];
    const warned = await kubectl(["apply", "-f", "-"], text([{ route }], { gateways: ["none"] }));
    expect(warned).toContain("Warning: spec.gateways[0]: there is no Gateway default/none");
    const none = [0, 1].map(() => ({ destination: { host: "web" }, weight: 0 }));
    expect(await kubectl(["apply", "-f", "-"], text([{ route: none }]))).toContain(
      'The VirtualService "told" is invalid: spec.http[0].route: no destination has a weight',
    );
    const told = await conditions(
      VIRTUAL_SERVICES,
      "told",
      ({ Complete }) => Complete?.reason === "UnknownGateway",
    );
    expect(told["Applied"]).toMatchObject({ status: "True", reason: "NoProxyConcerned" });
  }, 30_000);

  test("counts the proxies of all replicas", async () => {
    connect("c", await startPilot({}));
    await eventually("routes", 10_000, async () => clients.every((one) => one.received.length > 3));
    for (let seconds = 6; ; seconds++) {
      await rule([{ timeout: `${seconds}s`, route: [{ destination: { host: "web" } }] }]);
      const { Applied } = await conditions(
        VIRTUAL_SERVICES,
        "web",
        (told) => told["Applied"]?.reason === "Live",
      );
      // Replicas hear of each other within seconds.
      if (Applied?.message.startsWith("live on 3/3 proxies") === true) break;
      expect(seconds).toBeLessThan(200);
    }
  }, 30_000);

  test("tells of kinds that nothing here acts on", async () => {
    await applyObject(client, PEER_AUTHENTICATIONS, {
      metadata: { name: "strict", namespace: "default" },
      spec: { mtls: { mode: "STRICT" } },
    });
    const told = await conditions(
      PEER_AUTHENTICATIONS,
      "strict",
      ({ Applied }) => Applied !== undefined,
    );
    expect(told["Applied"]).toMatchObject({ status: "False", reason: "NotSupportedYet" });
  }, 30_000);
});
