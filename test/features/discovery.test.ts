import { afterEach, describe, expect, test } from "@jest/globals";
import { waitUntil } from "#cluster/client/testing/wait-until.ts";
import { CLUSTER, ENDPOINTS, LISTENER, ROUTES, VIRTUAL_HOST } from "#pilot/cache/type-url.ts";
import { AdsClient, sidecarNode } from "./ads-client.ts";
import { startPilot } from "./pilot-world.ts";
import type { PilotWorld } from "./pilot-world.ts";

const service = (name: string, port = 8080): string => `
apiVersion: v1
kind: Service
metadata: { name: ${name}, namespace: default }
spec:
  clusterIP: 192.0.2.${name.length}
  clusterIPs: [192.0.2.${name.length}]
  selector: { app: ${name} }
  ports: [{ name: http, port: ${port}, targetPort: 8080 }]
---`;

const slice = (name: string, ...addresses: string[]): string => `
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata:
  name: ${name}-1
  namespace: default
  labels: { kubernetes.io/service-name: ${name} }
addressType: IPv4
ports: [{ name: http, port: 8080, protocol: TCP }]
endpoints: [${addresses.map((one) => `{addresses: [${one}], conditions: {ready: true}}`).join()}]
---`;

const split = (weight: number): string => `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: reviews, namespace: default }
spec:
  hosts: [reviews]
  http:
  - route:
    - { destination: { host: reviews, subset: v1 }, weight: ${weight} }
    - { destination: { host: reviews, subset: v2 }, weight: ${100 - weight} }
---`;

const subsets = (...names: string[]): string => `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: reviews, namespace: default }
spec:
  host: reviews
  subsets: [${names.map((name) => `{name: ${name}, labels: {version: ${name}}}`).join()}]
---`;

const WORLD =
  service("reviews") +
  slice("reviews", "198.51.100.1", "198.51.100.2") +
  service("ratings") +
  slice("ratings", "198.51.100.3") +
  subsets("v1", "v2") +
  split(90);

const REVIEWS = "reviews.default.svc.cluster.local";
const cluster = (subset = "", host = REVIEWS): string => `outbound|8080|${subset}|${host}`;

let pilot: PilotWorld;
let clients: AdsClient[] = [];

afterEach(async () => {
  for (const client of clients) client.close();
  clients = [];
  await pilot.close();
});

/** A sidecar that has got all of the world. */
async function connect(namespace = "default"): Promise<AdsClient> {
  const client = new AdsClient(pilot.server.port, sidecarNode("test-1", namespace));
  clients.push(client);
  await waitUntil("all is sent", () => client.of(VIRTUAL_HOST).size > 0);
  client.clear();
  return client;
}

const hostOf = (client: AdsClient, name: string): string =>
  JSON.stringify(client.of(VIRTUAL_HOST).get(name));

describe("a sidecar", () => {
  test("gets clusters, endpoints, listeners and routes by Istio's names", async () => {
    pilot = await startPilot(WORLD);
    const client = await connect();
    const clusters = [cluster(), cluster("v1"), cluster("v2")];
    expect([...client.of(CLUSTER).keys()]).toEqual(expect.arrayContaining(clusters));
    expect([...client.of(ENDPOINTS).keys()]).toEqual(expect.arrayContaining(clusters));
    expect([...client.of(LISTENER).keys()]).toEqual(
      expect.arrayContaining(["0.0.0.0_8080", "virtualInbound", "virtualOutbound"]),
    );
    expect([...client.of(ROUTES).keys()]).toEqual(["8080"]);
    expect(hostOf(client, `8080/${REVIEWS}:8080`)).toContain('"weight":90');
  });

  test("gets one virtual host for a changed weight, and nothing else", async () => {
    pilot = await startPilot(WORLD);
    const client = await connect();
    pilot.apply(split(50));
    const name = `8080/${REVIEWS}:8080`;
    await waitUntil("the weight is there", () => hostOf(client, name).includes('"weight":50'));
    expect(client.received).toEqual([{ type: VIRTUAL_HOST, names: [name], removed: [] }]);
  });

  test("gets endpoints only for a changed EndpointSlice", async () => {
    pilot = await startPilot(WORLD);
    const client = await connect();
    pilot.apply(slice("ratings", "198.51.100.3", "198.51.100.9"));
    const name = cluster("", "ratings.default.svc.cluster.local");
    await waitUntil("the endpoint is there", () =>
      JSON.stringify(client.of(ENDPOINTS).get(name)).includes("198.51.100.9"),
    );
    expect(client.received).toEqual([{ type: ENDPOINTS, names: [name], removed: [] }]);
  });

  test("gets a new subset's cluster and endpoints before the routes to it, and removals last", async () => {
    pilot = await startPilot(WORLD);
    const client = await connect();
    const name = `8080/${REVIEWS}:8080`;
    pilot.apply(subsets("v2", "v3") + split(0).replaceAll("v1", "v3"));
    await waitUntil("the old subset is gone", () => !client.of(CLUSTER).has(cluster("v1")));
    const order = client.received.map(({ type, names, removed }) => [
      type,
      names.includes(cluster("v3")) || names.includes(name),
      removed.includes(cluster("v1")),
    ]);
    expect(order.filter(([, added, removed]) => added === true || removed === true)).toEqual([
      [CLUSTER, true, false],
      [ENDPOINTS, true, false],
      [VIRTUAL_HOST, true, false],
      [CLUSTER, false, true],
      [ENDPOINTS, false, true],
    ]);
  });

  test("gets a new service, and loses it when it is deleted", async () => {
    pilot = await startPilot(WORLD);
    const client = await connect();
    pilot.apply(service("details", 9080) + slice("details", "198.51.100.20"));
    const details = "outbound|9080||details.default.svc.cluster.local";
    await waitUntil("the service is there", () =>
      client.of(VIRTUAL_HOST).has("9080/details.default.svc.cluster.local:9080"),
    );
    expect(client.of(LISTENER).has("0.0.0.0_9080")).toBe(true);
    pilot.delete(service("details", 9080) + slice("details"));
    await waitUntil("it is gone", () => !client.of(CLUSTER).has(details));
    expect(client.of(LISTENER).has("0.0.0.0_9080")).toBe(false);
  });

  test("that refuses a response keeps what it had, and the next change reaches it", async () => {
    pilot = await startPilot(WORLD);
    const client = await connect();
    const name = `8080/${REVIEWS}:8080`;
    client.refuse.add(name);
    pilot.apply(split(50));
    await waitUntil("it is refused", () => pilot.rejections.length > 0);
    expect(pilot.rejections).toMatchObject([
      { type: VIRTUAL_HOST, resources: [{ name, origins: expect.anything() }] },
    ]);
    const origins = pilot.rejections[0]?.resources[0]?.origins.map((origin) => origin.object);
    expect(origins).toContain("VirtualService/default/reviews");
    expect(hostOf(client, name)).toContain('"weight":90');
    pilot.apply(split(10));
    await waitUntil("the next is there", () => hostOf(client, name).includes('"weight":10'));
  });

  test("of the same class costs no translation: scopes are shared and let go", async () => {
    pilot = await startPilot(WORLD);
    await connect();
    const before = pilot.pusher.scopes();
    await connect();
    expect(pilot.pusher.scopes()).toEqual(before);
    expect(pilot.pusher.connections.size).toBe(2);
    for (const client of clients) client.close();
    await waitUntil("they are gone", () => pilot.pusher.connections.size === 0);
  });
});

test.each(["", "no~such~node", "sidecar~x~a.b~c", "sidecar~192.0.2.1~a.b~c\u0000~d"])(
  "a node id like %j is refused with its reason",
  async (id) => {
    pilot = await startPilot(WORLD);
    const client = new AdsClient(pilot.server.port, { id });
    clients.push(client);
    await waitUntil("it is refused", () => client.ended !== undefined);
    expect(client.ended).toMatchObject({ code: 3, details: expect.stringContaining("id:") });
  },
);
