import { readFile } from "node:fs/promises";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import {
  connectClient,
  startTestServer,
  type TestClient,
  type TestServer,
} from "#cluster/apiserver/testing/test-server.ts";

interface Review {
  uid: string;
  operation: string;
  name: string;
  dryRun: boolean;
  object: { apiVersion: string; spec?: unknown } | null;
  resource: { version: string };
  requestResource: { version: string };
}

const MAPS = "/api/v1/namespaces/default/configmaps";
const CONFIGURATIONS = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations";

describe("a validating webhook", () => {
  let server: TestServer;
  let client: TestClient;
  let webhook: Server;
  let reviews: Review[] = [];
  let answer: (review: Review) => object = () => ({ allowed: true });

  beforeAll(async () => {
    server = await startTestServer();
    client = await connectClient(server, server.admin);
    const files = await server.pki.issue("hook", { user: "hook", serves: ["127.0.0.1"] });
    const [cert, key] = await Promise.all([readFile(files.certFile), readFile(files.keyFile)]);
    webhook = createServer({ cert, key }, (request, response) => {
      let text = "";
      request.on("data", (chunk: Buffer) => (text += chunk.toString()));
      request.on("end", () => {
        const review = JSON.parse(text) as { request: Review };
        reviews.push(review.request);
        const { uid } = review.request;
        response.end(JSON.stringify({ ...review, response: { uid, ...answer(review.request) } }));
      });
    });
    await new Promise<void>((resolve) => webhook.listen(0, "127.0.0.1", resolve));
  });

  afterAll(async () => {
    webhook.close();
    client.close();
    await server.remove();
  });

  async function register(change: object): Promise<void> {
    await client.send(`${CONFIGURATIONS}/hook`, { method: "DELETE" });
    const { port } = webhook.address() as AddressInfo;
    const rule = { operations: ["*"], apiGroups: [""], apiVersions: ["v1"] };
    const { code, body } = await client.send(CONFIGURATIONS, {
      body: {
        metadata: { name: "hook" },
        webhooks: [
          {
            name: "hook.example.org",
            clientConfig: {
              url: `https://127.0.0.1:${port}/validate`,
              caBundle: (await readFile(server.pki.caFile)).toString("base64"),
            },
            rules: [{ ...rule, resources: ["configmaps"] }],
            sideEffects: "None",
            admissionReviewVersions: ["v1"],
            ...change,
          },
        ],
      },
    });
    expect({ code, body }).toMatchObject({ code: 201 });
    reviews = [];
  }

  test("sees creations, changes and deletions, and can't change anything", async () => {
    await register({});
    answer = () => ({ allowed: true, patchType: "JSONPatch", patch: "W10=" });
    await client.send(MAPS, { body: { metadata: { name: "seen" } } });
    await client.send(`${MAPS}/seen?dryRun=All`, {
      method: "PATCH",
      body: { data: { a: "b" } },
      headers: { "content-type": "application/merge-patch+json" },
    });
    await client.send(`${MAPS}/seen`, { method: "DELETE" });
    expect(reviews.map(({ operation, dryRun }) => [operation, dryRun])).toEqual([
      ["CREATE", false],
      ["UPDATE", true],
      ["DELETE", false],
    ]);
    expect(reviews.map(({ object }) => object === null)).toEqual([false, false, true]);
  });

  test("is told the name that was made, and only what the schema accepts", async () => {
    answer = () => ({ allowed: true });
    reviews = [];
    await client.send(MAPS, { body: { metadata: { generateName: "x-" }, data: { a: 1 } } });
    expect(reviews).toEqual([]);
    await client.send(MAPS, { body: { metadata: { generateName: "x-" } } });
    expect(reviews[0]?.name).toMatch(/^x-.{5}$/);
  });

  test("refuses with its own reason, code and causes", async () => {
    const causes = [{ reason: "FieldValueInvalid", message: "no", field: "data.a" }];
    const status = { reason: "Invalid", code: 422, message: "data.a: no", details: { causes } };
    answer = () => ({ allowed: false, status });
    const refused = await client.send(MAPS, { body: { metadata: { name: "refused" } } });
    expect(refused.body).toMatchObject({
      code: 422,
      reason: "Invalid",
      message: 'admission webhook "hook.example.org" denied the request: data.a: no',
      details: { causes },
    });
  });

  test("warns, whether it allows or not", async () => {
    answer = () => ({ allowed: true, warnings: ["spec.a has no effect"] });
    const { code, headers } = await client.send(MAPS, { body: { metadata: { name: "warned" } } });
    expect(code).toBe(201);
    expect(headers.warning).toContain("spec.a has no effect");
  });

  test("is asked only where its conditions hold", async () => {
    answer = () => ({ allowed: false, status: { message: "asked" } });
    const matchConditions = [
      { name: "not-mine", expression: '!request.userInfo.username.startsWith("system:node:")' },
      { name: "named", expression: 'object.metadata.name.startsWith("asked")' },
    ];
    await register({ matchConditions });
    expect((await client.send(MAPS, { body: { metadata: { name: "other" } } })).code).toBe(201);
    expect((await client.send(MAPS, { body: { metadata: { name: "asked" } } })).code).toBe(403);
    const broken = [{ name: "broken", expression: "object.none.none" }];
    await register({ matchConditions: broken });
    const failed = await client.send(MAPS, { body: { metadata: { name: "broken" } } });
    expect(failed.body).toMatchObject({ code: 500, message: /match conditions: broken: No such/ });
    await register({ matchConditions: broken, failurePolicy: "Ignore" });
    expect((await client.send(MAPS, { body: { metadata: { name: "broken" } } })).code).toBe(201);
  });

  test("gets another served version than was written, if it asks for that", async () => {
    answer = () => ({ allowed: true });
    const version = (name: string): object => ({
      name,
      served: true,
      storage: name === "v1",
      schema: {
        openAPIV3Schema: { type: "object", "x-kubernetes-preserve-unknown-fields": true },
      },
    });
    await client.send("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", {
      body: {
        metadata: { name: "things.example.org" },
        spec: {
          group: "example.org",
          scope: "Namespaced",
          names: { plural: "things", kind: "Thing" },
          versions: [version("v1"), version("v1beta1")],
        },
      },
    });
    const rule = { operations: ["*"], apiGroups: ["example.org"], resources: ["things"] };
    await register({ rules: [{ ...rule, apiVersions: ["v1"] }] });
    const path = "/apis/example.org/v1beta1/namespaces/default/things";
    const body = { apiVersion: "example.org/v1beta1", kind: "Thing", metadata: { name: "a" } };
    expect((await client.send(path, { body })).code).toBe(201);
    expect(reviews).toMatchObject([
      {
        object: { apiVersion: "example.org/v1" },
        resource: { version: "v1" },
        requestResource: { version: "v1beta1" },
      },
    ]);
    await register({ rules: [{ ...rule, apiVersions: ["v1"] }], matchPolicy: "Exact" });
    await client.send(path, { body: { ...body, metadata: { name: "b" } } });
    expect(reviews).toEqual([]);
  });
});
