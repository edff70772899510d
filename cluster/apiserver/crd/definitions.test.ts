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
});

afterAll(async () => {
  client.close();
  await server.remove();
});

const CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";

function definition(plural: string, kind: string, extra = {}): object {
  const schema = {
    openAPIV3Schema: {
      type: "object",
      properties: {
        spec: {
          type: "object",
          properties: {
            size: { type: "integer", minimum: 0 },
            colour: { type: "string", default: "red" },
            replicas: { type: "integer" },
          },
        },
        status: { type: "object", properties: { replicas: { type: "integer" } } },
      },
    },
  };
  const version = (name: string, storage: boolean): object => ({
    name,
    served: true,
    storage,
    schema,
    subresources: {
      status: {},
      scale: { specReplicasPath: ".spec.replicas", statusReplicasPath: ".status.replicas" },
    },
    additionalPrinterColumns: [{ name: "Size", type: "integer", jsonPath: ".spec.size" }],
  });
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: `${plural}.example.org` },
    spec: {
      group: "example.org",
      scope: "Namespaced",
      names: { plural, singular: kind.toLowerCase(), kind, listKind: `${kind}List` },
      versions: [version("v1", true), version("v1beta1", false)],
      ...extra,
    },
  };
}

function create(path: string, body: object): Promise<TestResponse> {
  return client.send(path, { body });
}

const objects = (version: string, plural: string): string =>
  `/apis/example.org/${version}/namespaces/default/${plural}`;

describe("a custom resource", () => {
  const WIDGETS = objects("v1", "widgets");
  const widget = (name: string, spec = {}): object => ({
    apiVersion: "example.org/v1",
    kind: "Widget",
    metadata: { name },
    spec,
  });

  test("is served as soon as its definition is answered, in every version", async () => {
    const made = await create(CRDS, definition("widgets", "Widget"));
    expect(made.body).toMatchObject({
      status: {
        acceptedNames: { kind: "Widget" },
        conditions: [
          { type: "NamesAccepted", status: "True" },
          { type: "Established", status: "True" },
        ],
        storedVersions: ["v1"],
      },
    });
    expect((await create(WIDGETS, widget("w", { size: 3 }))).body).toMatchObject({
      apiVersion: "example.org/v1",
      metadata: { generation: 1 },
      spec: { size: 3, colour: "red" },
    });
    const beta = await client.send(`${objects("v1beta1", "widgets")}/w`);
    expect(beta.body).toMatchObject({ apiVersion: "example.org/v1beta1", spec: { size: 3 } });
    const discovery = await client.send("/apis/example.org/v1");
    expect(discovery.body).toMatchObject({
      resources: [{ name: "widgets" }, { name: "widgets/status" }, { name: "widgets/scale" }],
    });
    expect((await client.send("/openapi/v3")).text).toContain("apis/example.org/v1");
  });

  test("is validated and pruned by its schema, with columns of its own", async () => {
    expect((await create(WIDGETS, widget("bad", { size: -1 }))).body).toMatchObject({
      code: 422,
      details: { causes: [{ field: "spec.size" }] },
    });
    const pruned = await create(WIDGETS, widget("pruned", { weight: 1 }));
    expect(pruned.body).not.toHaveProperty("spec.weight");
    const headers = { accept: "application/json;as=Table;v=v1;g=meta.k8s.io" };
    expect((await client.send(`${WIDGETS}/w`, { headers })).body).toMatchObject({
      columnDefinitions: [{ name: "Name" }, { name: "Size" }],
      rows: [{ cells: ["w", 3] }],
    });
  });

  test("has status and scale, and wants resourceVersions in updates", async () => {
    const { body } = await client.send(`${WIDGETS}/w`);
    const held = body as { metadata: object; spec: object };
    const status = { ...held, spec: { size: 99 }, status: { replicas: 2 } };
    const put = await client.send(`${WIDGETS}/w/status`, { method: "PUT", body: status });
    expect(put.body).toMatchObject({ spec: { size: 3 }, status: { replicas: 2 } });
    const blind = await client.send(`${WIDGETS}/w`, { method: "PUT", body: widget("w") });
    expect(blind.body).toMatchObject({
      code: 422,
      message: /metadata.resourceVersion: Invalid value: 0x0: must be specified for an update/,
    });
    const headers = { "content-type": "application/merge-patch+json" };
    const patch = { method: "PATCH", body: { spec: { replicas: 5 } }, headers };
    expect((await client.send(`${WIDGETS}/w/scale`, patch)).body).toMatchObject({
      kind: "Scale",
      spec: { replicas: 5 },
      status: { replicas: 2 },
    });
  });

  test("is there again after a restart", async () => {
    client.close();
    await server.stop();
    await server.start();
    client = await connectClient(server, server.admin);
    expect((await client.send(`${WIDGETS}/w`)).code).toBe(200);
  });

  test("goes with its definition, once nothing holds it", async () => {
    const held = { ...widget("held"), metadata: { name: "held", finalizers: ["example.org/a"] } };
    await create(WIDGETS, held);
    const path = `${CRDS}/widgets.example.org`;
    const { body } = await client.send(path, { method: "DELETE" });
    expect(body).toMatchObject({ metadata: { deletionTimestamp: expect.any(String) } });
    expect((await create(WIDGETS, widget("late"))).code).toBe(405);
    const version = (body as { metadata: { resourceVersion: string } }).metadata.resourceVersion;
    const query = `watch=true&fieldSelector=metadata.name%3Dwidgets.example.org&resourceVersion=${version}`;
    const gone = client.watch(`${CRDS}?${query}`, (all) => all.at(-1)?.type === "DELETED");
    const headers = { "content-type": "application/merge-patch+json" };
    const release = { method: "PATCH", body: { metadata: { finalizers: null } }, headers };
    await client.send(`${WIDGETS}/held`, release);
    await gone;
    expect((await client.send(WIDGETS)).code).toBe(404);
  });
});

describe("a definition", () => {
  test("whose names are taken is stored and not served", async () => {
    await create(CRDS, definition("things", "Thing"));
    const taken = definition("stuffs", "Thing");
    expect((await create(CRDS, taken)).body).toMatchObject({
      status: {
        conditions: [
          { type: "NamesAccepted", status: "False", message: '"Thing" is already in use' },
          { type: "Established", status: "False" },
        ],
      },
    });
    expect((await client.send(objects("v1", "stuffs"))).code).toBe(404);
  });

  test("that converts by webhook is refused", async () => {
    const conversion = { strategy: "Webhook", webhook: { conversionReviewVersions: ["v1"] } };
    const answer = await create(CRDS, definition("converted", "Converted", { conversion }));
    expect(answer.code).toBe(422);
    expect(answer.text).toContain("spec.conversion");
  });
});
