import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import {
  connectClient,
  startTestServer,
  type TestClient,
  type TestResponse,
  type TestServer,
} from "#cluster/apiserver/testing/test-server.ts";

let server: TestServer;
let client: TestClient;

beforeAll(async () => {
  server = await startTestServer();
  client = await connectClient(server, server.admin);
  const account = { kind: "ServiceAccount", apiVersion: "v1", metadata: { name: "default" } };
  await client.send("/api/v1/namespaces/default/serviceaccounts", { body: account });
});

afterAll(async () => {
  client.close();
  await server.remove();
});

const MAPS = "/api/v1/namespaces/default/configmaps";
const PODS = "/api/v1/namespaces/default/pods";

async function createMap(name: string, metadata = {}): Promise<TestResponse> {
  const body = { kind: "ConfigMap", apiVersion: "v1", metadata: { name, ...metadata } };
  return client.send(MAPS, { body });
}

async function createPod(name: string): Promise<TestResponse> {
  const spec = { containers: [{ name: "c", image: "example.org/c:1" }] };
  return client.send(PODS, { body: { kind: "Pod", apiVersion: "v1", metadata: { name }, spec } });
}

function remove(path: string, body?: object): Promise<TestResponse> {
  return client.send(path, { method: "DELETE", body });
}

function patch(path: string, body: object): Promise<TestResponse> {
  const headers = { "content-type": "application/merge-patch+json" };
  return client.send(path, { method: "PATCH", body, headers });
}

describe("deleting", () => {
  test("answers with a success that names the object", async () => {
    const { body } = await createMap("plain");
    const uid = (body as { metadata: { uid: string } }).metadata.uid;
    expect((await remove(`${MAPS}/plain`)).body).toMatchObject({
      status: "Success",
      details: { name: "plain", kind: "configmaps", uid },
    });
    expect((await remove(`${MAPS}/plain`)).code).toBe(404);
  });

  test("honours preconditions and dryRun", async () => {
    await createMap("conditional");
    const path = `${MAPS}/conditional`;
    expect((await remove(path, { preconditions: { uid: "another" } })).code).toBe(409);
    expect((await remove(`${path}?dryRun=All`)).code).toBe(200);
    expect((await client.send(path)).code).toBe(200);
  });

  test("waits for finalizers, and refuses new ones meanwhile", async () => {
    await createMap("held", { finalizers: ["example.org/hold"] });
    const path = `${MAPS}/held`;
    expect((await remove(path)).body).toMatchObject({
      metadata: { deletionTimestamp: expect.any(String), finalizers: ["example.org/hold"] },
    });
    const more = { metadata: { finalizers: ["example.org/hold", "example.org/more"] } };
    expect((await patch(path, more)).code).toBe(422);
    expect((await patch(path, { metadata: { finalizers: null } })).code).toBe(200);
    expect((await client.send(path)).code).toBe(404);
  });

  test.each([
    ["Foreground", "foregroundDeletion"],
    ["Orphan", "orphan"],
  ])("with %s propagation leaves it to the garbage collector", async (policy, finalizer) => {
    const name = policy.toLowerCase();
    await createMap(name);
    const answer = await remove(`${MAPS}/${name}?propagationPolicy=${policy}`);
    expect(answer.body).toMatchObject({ metadata: { finalizers: [finalizer] } });
    await patch(`${MAPS}/${name}`, { metadata: { finalizers: [] } });
    expect((await client.send(`${MAPS}/${name}`)).code).toBe(404);
  });

  test("a collection deletes what the selector selects, and no more", async () => {
    await createMap("doomed", { labels: { doomed: "yes" } });
    await createMap("spared");
    expect((await remove(`${MAPS}?labelSelector=doomed%3Dyes`)).code).toBe(200);
    expect((await client.send(`${MAPS}/doomed`)).code).toBe(404);
    expect((await client.send(`${MAPS}/spared`)).code).toBe(200);
  });
});

describe("a pod", () => {
  const bind = (name: string, node = "node-1"): Promise<TestResponse> =>
    client.send(`${PODS}/${name}/binding`, {
      body: {
        kind: "Binding",
        apiVersion: "v1",
        metadata: { name },
        target: { kind: "Node", name: node },
      },
    });

  test("is bound once, which its status says", async () => {
    await createPod("bound");
    expect((await bind("bound")).code).toBe(201);
    expect((await client.send(`${PODS}/bound`)).body).toMatchObject({
      spec: { nodeName: "node-1" },
      status: { conditions: [{ type: "PodScheduled", status: "True" }] },
    });
    expect((await bind("bound", "node-2")).body).toMatchObject({
      code: 409,
      message: /pod bound is already assigned to node "node-1"/,
    });
  });

  test("without a node goes at once", async () => {
    await createPod("unscheduled");
    expect((await remove(`${PODS}/unscheduled`)).code).toBe(200);
    expect((await client.send(`${PODS}/unscheduled`)).code).toBe(404);
  });

  test("on a node gets its grace, which only shrinks, and the kubelet's word is final", async () => {
    await createPod("graceful");
    await bind("graceful");
    const path = `${PODS}/graceful`;
    const grace = async (): Promise<unknown> => (await client.send(path)).body;
    await remove(path);
    expect(await grace()).toMatchObject({ metadata: { deletionGracePeriodSeconds: 30 } });
    await remove(`${path}?gracePeriodSeconds=60`);
    expect(await grace()).toMatchObject({ metadata: { deletionGracePeriodSeconds: 30 } });
    await remove(path, { kind: "DeleteOptions", apiVersion: "v1", gracePeriodSeconds: 5 });
    expect(await grace()).toMatchObject({ metadata: { deletionGracePeriodSeconds: 5 } });
    const status = { phase: "Failed", conditions: [] };
    expect((await patch(`${path}/status`, { status })).code).toBe(200);
    await remove(`${path}?gracePeriodSeconds=0`);
    expect((await client.send(path)).code).toBe(404);
  });

  test("is evicted with a condition that says so", async () => {
    await createPod("evicted");
    await bind("evicted");
    const body = { kind: "Eviction", apiVersion: "policy/v1", metadata: { name: "evicted" } };
    expect((await client.send(`${PODS}/evicted/eviction`, { body })).code).toBe(201);
    expect((await client.send(`${PODS}/evicted`)).body).toMatchObject({
      metadata: { deletionTimestamp: expect.any(String) },
      status: {
        conditions: expect.arrayContaining([
          expect.objectContaining({ type: "DisruptionTarget", status: "True" }),
        ]),
      },
    });
  });
});

describe("a namespace", () => {
  test("takes no new objects while it ends, and goes when it is finalized", async () => {
    const body = { kind: "Namespace", apiVersion: "v1", metadata: { name: "ending" } };
    expect((await client.send("/api/v1/namespaces", { body })).body).toMatchObject({
      metadata: { labels: { "kubernetes.io/metadata.name": "ending" } },
      spec: { finalizers: ["kubernetes"] },
      status: { phase: "Active" },
    });
    const path = "/api/v1/namespaces/ending";
    expect((await remove(path)).body).toMatchObject({ status: { phase: "Terminating" } });
    const map = { kind: "ConfigMap", apiVersion: "v1", metadata: { name: "late" } };
    expect((await client.send(`${path}/configmaps`, { body: map })).body).toMatchObject({
      code: 403,
      details: { causes: [{ reason: "NamespaceTerminating" }] },
    });
    const current = (await client.send(path)).body as object;
    const finalized = { ...current, spec: { finalizers: [] } };
    expect((await client.send(`${path}/finalize`, { method: "PUT", body: finalized })).code).toBe(
      200,
    );
    expect((await client.send(path)).code).toBe(404);
  });

  test("that is missing or immortal is respected", async () => {
    const map = { kind: "ConfigMap", apiVersion: "v1", metadata: { name: "x" } };
    const answer = await client.send("/api/v1/namespaces/nowhere/configmaps", { body: map });
    expect(answer.body).toMatchObject({ code: 404, message: 'namespaces "nowhere" not found' });
    expect((await remove("/api/v1/namespaces/default")).code).toBe(403);
  });
});
