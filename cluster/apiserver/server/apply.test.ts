import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import type { ManagedFieldsEntry } from "#cluster/api/meta.ts";
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
});

afterAll(async () => {
  client.close();
  await server.remove();
});

const MAPS = "/api/v1/namespaces/default/configmaps";
const DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments";

function apply(path: string, query: string, body: object): Promise<TestResponse> {
  const headers = { "content-type": "application/apply-patch+yaml" };
  return client.send(`${path}?${query}`, { method: "PATCH", body, headers });
}

function patch(path: string, type: string, body: object): Promise<TestResponse> {
  const headers = { "content-type": type, "user-agent": "tester/1.0 (x)" };
  return client.send(path, { method: "PATCH", body, headers });
}

const map = (name: string, data: object): object => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name },
  data,
});

const deployment = (name: string, spec: object = {}): object => ({
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name, labels: { app: name } },
  spec: {
    selector: { matchLabels: { app: name } },
    template: {
      metadata: { labels: { app: name } },
      spec: { containers: [{ name: "c", image: "example.org/c:1" }] },
    },
    ...spec,
  },
});

interface Seen {
  metadata: { resourceVersion: string; managedFields?: ManagedFieldsEntry[] };
  data?: object;
}
const seen = ({ body }: TestResponse): Seen => body as Seen;
const managers = (answer: TestResponse): string[] =>
  (seen(answer).metadata.managedFields ?? []).map(({ manager, operation, subresource }) =>
    [manager, operation, subresource].filter((part) => part !== undefined).join(" "),
  );

describe("server-side apply", () => {
  test("creates, changes, and does nothing where there is nothing to do", async () => {
    const created = await apply(`${MAPS}/made`, "fieldManager=me", map("made", { a: "1" }));
    expect(created.code).toBe(201);
    const again = await apply(`${MAPS}/made`, "fieldManager=me", map("made", { a: "1" }));
    expect(again.code).toBe(200);
    expect(again.body).toEqual(created.body);
    const changed = await apply(`${MAPS}/made`, "fieldManager=me", map("made", { b: "1" }));
    expect(seen(changed).data).toEqual({ b: "1" });
    expect(seen(changed).metadata.managedFields).toMatchObject([
      { manager: "me", operation: "Apply", fieldsV1: { "f:data": { "f:b": {} } } },
    ]);
    const { body } = await client.send(`${MAPS}/made`);
    expect(body).toEqual(changed.body);
  });

  test("in a dry run stores nothing", async () => {
    const dry = "fieldManager=me&dryRun=All";
    expect((await apply(`${MAPS}/dry`, dry, map("dry", {}))).code).toBe(201);
    expect((await client.send(`${MAPS}/dry`)).code).toBe(404);
  });

  test.each([
    [
      "without a manager",
      "",
      map("x", {}),
      422,
      /fieldManager: Required value: is required for apply patch/,
    ],
    [
      "by too long a manager",
      `fieldManager=${"x".repeat(129)}`,
      map("x", {}),
      422,
      /fieldManager: Too long/,
    ],
    [
      "of a field that isn't",
      "fieldManager=me",
      { ...map("x", {}), dat: 1 },
      400,
      /\.dat: field not declared in schema/,
    ],
    [
      "of a name that isn't the path's",
      "fieldManager=me",
      map("y", {}),
      400,
      /does not match the name on the URL/,
    ],
    [
      "of managedFields",
      "fieldManager=me",
      { ...map("x", {}), metadata: { name: "x", managedFields: [] } },
      400,
      /metadata.managedFields must be nil/,
    ],
    ["of no type", "fieldManager=me", { metadata: { name: "x" } }, 400, /must say its apiVersion/],
    [
      "of a uid that isn't there",
      "fieldManager=me",
      { ...map("x", {}), metadata: { name: "x", uid: "1" } },
      409,
      /uid mismatch/,
    ],
  ])("%s is refused", async (_, query, body, code, message) => {
    const answer = await apply(`${MAPS}/x`, query, body);
    expect(answer.body).toMatchObject({ code, message: expect.stringMatching(message) });
    expect((await client.send(`${MAPS}/x`)).code).toBe(404);
  });

  test("two elements with one key, and one without, are refused", async () => {
    const containers = [{ name: "c" }, { name: "c" }, { image: "x" }];
    const template = { metadata: { labels: { app: "l" } }, spec: { containers } };
    const body = deployment("lists", { template });
    const answer = await apply(`${DEPLOYMENTS}/lists`, "fieldManager=me", body);
    expect(answer.code).toBe(400);
    expect(answer.text).toContain("duplicate entries for key [name=");
    expect(answer.text).toContain("omits all key fields");
  });

  test("as CBOR, and force elsewhere, is refused", async () => {
    expect((await patch(`${MAPS}/x`, "application/apply-patch+cbor", {})).body).toMatchObject({
      code: 415,
      message: expect.stringContaining("application/apply-patch+yaml"),
    });
    const forced = await patch(`${MAPS}/x?force=true`, "application/merge-patch+json", {});
    expect(forced.text).toContain("may not be specified for non-apply patch");
  });

  test("of an old resourceVersion is a conflict", async () => {
    await apply(`${MAPS}/old`, "fieldManager=me", map("old", { a: "1" }));
    const body = { ...map("old", {}), metadata: { name: "old", resourceVersion: "1" } };
    expect((await apply(`${MAPS}/old`, "fieldManager=me", body)).code).toBe(409);
  });
});

describe("ownership", () => {
  test("goes by User-Agent and by subresource", async () => {
    await apply(`${DEPLOYMENTS}/web`, "fieldManager=me", deployment("web", { replicas: 1 }));
    const merge = "application/merge-patch+json";
    await patch(`${DEPLOYMENTS}/web/scale`, merge, { spec: { replicas: 3 } });
    await patch(`${DEPLOYMENTS}/web/status`, merge, { status: { observedGeneration: 1 } });
    await patch(`${DEPLOYMENTS}/web?fieldManager=named`, merge, {
      metadata: { labels: { x: "y" } },
    });
    const web = await client.send(`${DEPLOYMENTS}/web`);
    expect(managers(web).toSorted()).toEqual([
      "me Apply",
      "named Update",
      "tester Update scale",
      "tester Update status",
    ]);
    const refused = await apply(
      `${DEPLOYMENTS}/web`,
      "fieldManager=me",
      deployment("web", { replicas: 1 }),
    );
    expect(refused.body).toMatchObject({
      code: 409,
      message:
        'Apply failed with 1 conflict: conflict with "tester" with subresource "scale" using apps/v1: .spec.replicas',
    });
    const without = await apply(`${DEPLOYMENTS}/web`, "fieldManager=me", deployment("web"));
    expect(without.body).toMatchObject({ spec: { replicas: 3 } });
  });

  test("of the scale can be applied", async () => {
    await apply(`${DEPLOYMENTS}/scaled`, "fieldManager=me", deployment("scaled"));
    const scale = { apiVersion: "autoscaling/v1", kind: "Scale", spec: { replicas: 4 } };
    const answer = await apply(`${DEPLOYMENTS}/scaled/scale`, "fieldManager=hpa&force=true", scale);
    expect(answer.body).toMatchObject({ kind: "Scale", spec: { replicas: 4 } });
    expect(managers(await client.send(`${DEPLOYMENTS}/scaled`))).toContain("hpa Apply scale");
  });

  test("is cleared by [{}], and found again by the next apply", async () => {
    const url = `${MAPS}/cleared`;
    await client.send(MAPS, { body: map("cleared", { a: "1" }) });
    expect(managers(await client.send(url))).toEqual(["unknown Update"]);
    const clear = { metadata: { managedFields: [{}] } };
    const cleared = await patch(url, "application/merge-patch+json", clear);
    expect(seen(cleared).metadata).not.toHaveProperty("managedFields");
    const applied = await apply(url, "fieldManager=me", map("cleared", { a: "1" }));
    expect(managers(applied)).toEqual(["me Apply", "before-first-apply Update"]);
  });

  test("is in metadata-only answers, and kept by the PUT of a client that drops it", async () => {
    await apply(`${MAPS}/kept`, "fieldManager=me", map("kept", { a: "1" }));
    await client.send(`${MAPS}/kept`, { method: "PUT", body: map("kept", { a: "1" }) });
    const accept = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io";
    const partial = await client.send(`${MAPS}/kept`, { headers: { accept } });
    expect(managers(partial)).toEqual(["me Apply"]);
  });
});

test("custom resources merge by what their schema says of lists and maps", async () => {
  const list = (type: object): object => ({
    type: "array",
    items: { type: "object", properties: { name: { type: "string" }, v: { type: "integer" } } },
    ...type,
  });
  const spec = {
    type: "object",
    properties: {
      keyed: list({ "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"] }),
      whole: list({}),
      free: { type: "object", "x-kubernetes-preserve-unknown-fields": true },
    },
  };
  const schema = { openAPIV3Schema: { type: "object", properties: { spec } } };
  await client.send("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", {
    body: {
      apiVersion: "apiextensions.k8s.io/v1",
      kind: "CustomResourceDefinition",
      metadata: { name: "foos.example.org" },
      spec: {
        group: "example.org",
        scope: "Namespaced",
        names: { plural: "foos", kind: "Foo" },
        versions: [{ name: "v1", served: true, storage: true, schema }],
      },
    },
  });
  const url = "/apis/example.org/v1/namespaces/default/foos/f";
  const foo = (content: object): object => ({
    apiVersion: "example.org/v1",
    kind: "Foo",
    metadata: { name: "f" },
    spec: content,
  });
  const first = { keyed: [{ name: "a", v: 1 }], whole: [{ name: "a" }], free: { x: { y: 1 } } };
  await apply(url, "fieldManager=one", foo(first));
  const second = { keyed: [{ name: "b", v: 2 }], free: { x: { z: 2 } } };
  const both = await apply(url, "fieldManager=two", foo(second));
  expect(both.body).toMatchObject({
    spec: {
      keyed: [
        { name: "a", v: 1 },
        { name: "b", v: 2 },
      ],
      whole: [{ name: "a" }],
      free: { x: { y: 1, z: 2 } },
    },
  });
  const whole = await apply(url, "fieldManager=two", foo({ whole: [{ name: "b" }] }));
  expect(whole.text).toContain('conflict with \\"one\\": .spec.whole');
  const gone = await apply(url, "fieldManager=one", foo({ free: { x: { y: 1 } } }));
  expect(gone.body).toMatchObject({ spec: { keyed: [{ name: "b", v: 2 }] } });
  expect(gone.text).not.toContain('"whole"');
});
