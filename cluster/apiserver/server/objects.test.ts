import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import {
  connectClient,
  startTestServer,
  type TestClient,
  type TestServer,
} from "#cluster/apiserver/testing/test-server.ts";

let server: TestServer;
let client: TestClient;

beforeAll(async () => {
  server = await startTestServer();
  client = await connectClient(server, server.admin);
});

afterAll(async () => {
  client.close();
  await server.remove();
});

const MAPS = "/api/v1/namespaces/default/configmaps";
const configMap = (name: string, data = {}, labels = {}): object => ({
  kind: "ConfigMap",
  apiVersion: "v1",
  metadata: { name, labels },
  data,
});
const DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments";
const deployment = (name: string): object => ({
  kind: "Deployment",
  apiVersion: "apps/v1",
  metadata: { name },
  spec: {
    selector: { matchLabels: { app: name } },
    template: {
      metadata: { labels: { app: name } },
      spec: { containers: [{ name: "c", image: "example.org/c:1" }] },
    },
  },
});

describe("creating", () => {
  test("answers 201 with what the server decides: uid, time, version, defaults", async () => {
    const { code, body } = await client.send(DEPLOYMENTS, { body: deployment("created") });
    expect(code).toBe(201);
    expect(body).toMatchObject({
      metadata: {
        uid: expect.stringMatching(/^[0-9a-f-]{36}$/),
        creationTimestamp: expect.stringMatching(/^\d{4}-.*Z$/),
        resourceVersion: expect.stringMatching(/^\d+$/),
        generation: 1,
        namespace: "default",
      },
      spec: { replicas: 1 },
    });
  });

  test("refuses a taken name, a wrong namespace and a wrong kind", async () => {
    await client.send(MAPS, { body: configMap("taken") });
    const again = await client.send(MAPS, { body: configMap("taken") });
    expect(again.code).toBe(409);
    expect(again.body).toMatchObject({
      reason: "AlreadyExists",
      message: 'configmaps "taken" already exists',
    });
    const elsewhere = { ...configMap("x"), metadata: { name: "x", namespace: "other" } };
    expect((await client.send(MAPS, { body: elsewhere })).code).toBe(400);
    expect((await client.send(MAPS, { body: deployment("x") })).body).toMatchObject({
      message: "the API version in the data (apps/v1) does not match the expected API version (v1)",
    });
  });

  test("makes names from generateName", async () => {
    const body = { ...configMap(""), metadata: { generateName: "made-" } };
    const answer = await client.send(MAPS, { body });
    expect(answer.body).toMatchObject({
      metadata: { name: expect.stringMatching(/^made-[a-z0-9]{5}$/) },
    });
  });

  test("says every problem with its field", async () => {
    const bad = { ...deployment("bad"), metadata: { name: "Bad" } };
    const answer = await client.send(DEPLOYMENTS, { body: bad });
    expect(answer.code).toBe(422);
    expect(answer.body).toMatchObject({
      reason: "Invalid",
      details: { name: "Bad", kind: "Deployment", causes: [{ field: "metadata.name" }] },
    });
  });

  test("with dryRun stores nothing", async () => {
    const answer = await client.send(`${MAPS}?dryRun=All`, { body: configMap("dry") });
    expect(answer.code).toBe(201);
    expect((await client.send(`${MAPS}/dry`)).code).toBe(404);
  });

  test("refuses unknown fields strictly, warns by default, or ignores them", async () => {
    const unknown = (name: string): object => ({ ...configMap(name), dta: {} });
    const strict = await client.send(`${MAPS}?fieldValidation=Strict`, { body: unknown("u") });
    expect(strict.body).toMatchObject({
      code: 400,
      message: 'strict decoding error: unknown field "dta"',
    });
    const warned = await client.send(MAPS, { body: unknown("warned") });
    expect(warned.headers.warning).toBe(String.raw`299 - "unknown field \"dta\""`);
    expect(warned.body).not.toHaveProperty("dta");
    const ignored = await client.send(`${MAPS}?fieldValidation=Ignore`, { body: unknown("i") });
    expect(ignored.headers.warning).toBeUndefined();
  });

  test("reads YAML, and refuses media types that it doesn't know", async () => {
    const yaml = "kind: ConfigMap\napiVersion: v1\nmetadata: {name: from-yaml}\ndata: {a: b}\n";
    const headers = { "content-type": "application/yaml" };
    expect((await client.send(MAPS, { body: yaml, headers })).code).toBe(201);
    const other = { "content-type": "text/csv" };
    expect((await client.send(MAPS, { body: yaml, headers: other })).code).toBe(415);
    expect((await client.send(MAPS, { body: "{" })).code).toBe(400);
    expect((await client.send(MAPS, { body: '{"metadata":{"__proto__":{}}}' })).code).toBe(400);
  });
});

describe("updating", () => {
  test("with a stale resourceVersion conflicts, and with none replaces", async () => {
    const created = await client.send(MAPS, { body: configMap("put", { a: "1" }) });
    const stale = created.body as { metadata: object; data: object };
    const put = { method: "PUT", body: { ...stale, data: { a: "2" } } };
    expect((await client.send(`${MAPS}/put`, put)).code).toBe(200);
    const conflict = await client.send(`${MAPS}/put`, put);
    expect(conflict.body).toMatchObject({
      code: 409,
      message:
        'Operation cannot be fulfilled on configmaps "put": the object has been modified; please apply your changes to the latest version and try again',
    });
    const blind = { method: "PUT", body: configMap("put", { a: "3" }) };
    expect((await client.send(`${MAPS}/put`, blind)).body).toMatchObject({ data: { a: "3" } });
  });

  test("that changes nothing keeps the resourceVersion", async () => {
    const { body } = await client.send(MAPS, { body: configMap("same", { a: "1" }) });
    const again = await client.send(`${MAPS}/same`, { method: "PUT", body });
    expect(again.body).toEqual(body);
  });

  test("counts generations of the spec, not of metadata or status", async () => {
    await client.send(DEPLOYMENTS, { body: deployment("counted") });
    const patch = (body: object, subresource = ""): ReturnType<TestClient["send"]> =>
      client.send(`${DEPLOYMENTS}/counted${subresource}`, {
        method: "PATCH",
        body,
        headers: { "content-type": "application/merge-patch+json" },
      });
    await patch({ metadata: { labels: { a: "b" } } });
    await patch({ status: { replicas: 7 }, spec: { replicas: 9 } }, "/status");
    const unchanged = await patch({ status: { replicas: 99 } });
    expect(unchanged.body).toMatchObject({
      metadata: { generation: 1, labels: { a: "b" } },
      spec: { replicas: 1 },
      status: { replicas: 7 },
    });
    expect((await patch({ spec: { replicas: 3 } })).body).toMatchObject({
      metadata: { generation: 2 },
    });
  });

  test.each([
    ["application/merge-patch+json", { data: { b: "2", a: null } }],
    ["application/strategic-merge-patch+json", { data: { b: "2", a: null } }],
    [
      "application/json-patch+json",
      [
        { op: "remove", path: "/data/a" },
        { op: "add", path: "/data/b", value: "2" },
      ],
    ],
  ])("by %s", async (type, patch) => {
    const name = `patched-${type.length}`;
    await client.send(MAPS, { body: configMap(name, { a: "1" }) });
    const headers = { "content-type": type };
    const answer = await client.send(`${MAPS}/${name}`, { method: "PATCH", body: patch, headers });
    expect(answer.body).toMatchObject({ data: { b: "2" } });
    expect(answer.body).not.toHaveProperty("data.a");
  });

  test("by many patches at once loses none of them", async () => {
    await client.send(MAPS, { body: configMap("busy") });
    const keys = Array.from({ length: 20 }, (_, i) => `k${i}`);
    const headers = { "content-type": "application/merge-patch+json" };
    const answers = await Promise.all(
      keys.map((key) =>
        client.send(`${MAPS}/busy`, { method: "PATCH", body: { data: { [key]: "x" } }, headers }),
      ),
    );
    expect(new Set(answers.map(({ code }) => code))).toEqual(new Set([200]));
    const { body } = await client.send(`${MAPS}/busy`);
    expect(Object.keys((body as { data: object }).data)).toHaveLength(20);
  });

  test("of the scale changes the replicas and nothing else", async () => {
    await client.send(DEPLOYMENTS, { body: deployment("scaled") });
    const path = `${DEPLOYMENTS}/scaled/scale`;
    const scale = (await client.send(path)).body as { spec: object };
    expect(scale).toMatchObject({
      kind: "Scale",
      spec: { replicas: 1 },
      status: { selector: "app=scaled" },
    });
    const body = { ...scale, spec: { replicas: 4 } };
    expect((await client.send(path, { method: "PUT", body })).code).toBe(200);
    expect((await client.send(`${DEPLOYMENTS}/scaled`)).body).toMatchObject({
      spec: { replicas: 4, selector: { matchLabels: { app: "scaled" } } },
    });
    const negative = { method: "PUT", body: { ...scale, spec: { replicas: -1 }, metadata: {} } };
    expect((await client.send(path, negative)).code).toBe(422);
  });
});

describe("reading", () => {
  const inPages = "/api/v1/namespaces/kube-public/configmaps";
  beforeAll(async () => {
    for (const name of ["a", "b", "c", "d", "e"]) {
      const labels = { half: name < "c" ? "first" : "second" };
      await client.send(inPages, { body: configMap(name, {}, labels) });
    }
  });
  const names = (body: unknown): string[] =>
    (body as { items: { metadata: { name: string } }[] }).items.map((item) => item.metadata.name);

  test("goes by pages that show one moment", async () => {
    const first = await client.send(`${inPages}?limit=2`);
    const { metadata } = first.body as {
      metadata: { continue: string; remainingItemCount: number };
    };
    expect(names(first.body)).toEqual(["a", "b"]);
    expect(metadata.remainingItemCount).toBe(3);
    await client.send(`${inPages}/e`, { method: "DELETE" });
    const rest = await client.send(`${inPages}?continue=${metadata.continue}`);
    expect(names(rest.body)).toEqual(["c", "d", "e"]);
    expect((await client.send(`${inPages}?continue=nonsense`)).code).toBe(400);
  });

  test.each([
    ["labelSelector=half%3Dfirst", ["a", "b"]],
    ["labelSelector=half+notin+(first)", ["c", "d"]],
    ["fieldSelector=metadata.name%3Dc", ["c"]],
    ["fieldSelector=metadata.name!%3Dc&labelSelector=half%3Dsecond", ["d"]],
  ])("selects by %s", async (query, expected) => {
    expect(names((await client.send(`${inPages}?${query}`)).body)).toEqual(expected);
  });

  test("refuses selectors that it can't honour", async () => {
    const unknown = await client.send(`${inPages}?fieldSelector=spec.foo%3Db`);
    expect(unknown.body).toMatchObject({
      code: 400,
      message: "field label not supported: spec.foo",
    });
    expect((await client.send(`${inPages}?labelSelector=a+in+b`)).code).toBe(400);
  });

  test("gives tables, metadata and YAML to those who ask", async () => {
    const get = (accept: string, path = inPages): ReturnType<TestClient["send"]> =>
      client.send(path, { headers: { accept } });
    const table = await get("application/json;as=Table;v=v1;g=meta.k8s.io");
    expect(table.body).toMatchObject({
      kind: "Table",
      columnDefinitions: [{ name: "Name" }, { name: "Data" }, { name: "Age" }],
      metadata: { resourceVersion: expect.any(String) },
    });
    const meta = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io";
    expect((await get(meta)).body).toMatchObject({
      kind: "PartialObjectMetadataList",
      items: [{ kind: "PartialObjectMetadata", metadata: { name: "a" } }, {}, {}, {}],
    });
    expect((await get("application/yaml", `${inPages}/a`)).text).toContain("kind: ConfigMap\n");
    expect((await get("text/html")).code).toBe(406);
  });

  test("of what isn't there is Not Found, in Kubernetes' words", async () => {
    expect((await client.send(`${MAPS}/missing`)).body).toEqual({
      kind: "Status",
      apiVersion: "v1",
      metadata: {},
      status: "Failure",
      message: 'configmaps "missing" not found',
      reason: "NotFound",
      details: { name: "missing", kind: "configmaps" },
      code: 404,
    });
    expect((await client.send("/apis/nope.example.org/v1/things")).body).toMatchObject({
      message: "the server could not find the requested resource",
    });
  });
});

test("everything is there again after a restart, and old revisions have expired", async () => {
  const { body } = await client.send(MAPS, { body: configMap("kept", { a: "1" }) });
  client.close();
  await server.stop();
  await server.start();
  client = await connectClient(server, server.admin);
  expect((await client.send(`${MAPS}/kept`)).body).toEqual(body);
  const old = await client.send(`${MAPS}?watch=true&resourceVersion=3`);
  expect(old.body).toMatchObject({ reason: "Expired", code: 410 });
});
