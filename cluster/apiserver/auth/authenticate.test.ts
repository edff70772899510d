import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import {
  connectClient,
  startTestServer,
  type TestClient,
  type TestResponse,
  type TestServer,
} from "#cluster/apiserver/testing/test-server.ts";

let server: TestServer;
let admin: TestClient;
let stranger: TestClient;

beforeAll(async () => {
  server = await startTestServer();
  admin = await connectClient(server, server.admin);
  stranger = await connectClient(server);
  for (const name of ["default", "robot"]) {
    await admin.send(ACCOUNTS, {
      body: { kind: "ServiceAccount", apiVersion: "v1", metadata: { name } },
    });
  }
});

afterAll(async () => {
  admin.close();
  stranger.close();
  await server.remove();
});

const ACCOUNTS = "/api/v1/namespaces/default/serviceaccounts";
const PODS = "/api/v1/namespaces/default/pods";
const WHO = "/apis/authentication.k8s.io/v1/selfsubjectreviews";

async function requestToken(name: string, spec = {}, by = admin): Promise<TestResponse> {
  const body = { kind: "TokenRequest", apiVersion: "authentication.k8s.io/v1", spec };
  return by.send(`${ACCOUNTS}/${name}/token`, { body });
}

function tokenOf({ body }: TestResponse): string {
  return (body as { status: { token: string } }).status.token;
}

function whoIs(token: string): Promise<TestResponse> {
  return stranger.send(WHO, { body: {}, headers: { authorization: `Bearer ${token}` } });
}

describe("a certificate", () => {
  test("of our CA says user and groups", async () => {
    expect((await admin.send(WHO, { body: {} })).body).toMatchObject({
      status: {
        userInfo: { username: "admin", groups: ["system:masters", "system:authenticated"] },
      },
    });
  });

  test("is not needed for health and version, and for nothing else", async () => {
    expect((await stranger.send("/readyz")).text).toBe("ok");
    expect((await stranger.send("/version")).code).toBe(200);
    expect((await stranger.send("/api/v1/pods")).code).toBe(403);
  });
});

describe("a ServiceAccount's token", () => {
  test("is that account's, with no rights but discovery", async () => {
    const token = tokenOf(await requestToken("robot"));
    expect((await whoIs(token)).body).toMatchObject({
      status: {
        userInfo: {
          username: "system:serviceaccount:default:robot",
          groups: [
            "system:serviceaccounts",
            "system:serviceaccounts:default",
            "system:authenticated",
          ],
        },
      },
    });
    const headers = { authorization: `Bearer ${token}` };
    expect((await stranger.send("/apis/apps/v1", { headers })).code).toBe(200);
    expect((await stranger.send(PODS, { headers })).body).toMatchObject({
      code: 403,
      message:
        'pods is forbidden: User "system:serviceaccount:default:robot" cannot list resource "pods" in API group "" in the namespace "default"',
    });
  });

  test("is refused when forged, for another audience, or its account is gone", async () => {
    expect((await whoIs("nonsense")).body).toMatchObject({ code: 401, reason: "Unauthorized" });
    const foreign = tokenOf(await requestToken("robot", { audiences: ["istio-ca"] }));
    expect((await whoIs(foreign)).code).toBe(401);
    await admin.send(ACCOUNTS, {
      body: { kind: "ServiceAccount", apiVersion: "v1", metadata: { name: "brief" } },
    });
    const token = tokenOf(await requestToken("brief"));
    expect((await whoIs(token)).code).toBe(201);
    await admin.send(`${ACCOUNTS}/brief`, { method: "DELETE" });
    expect((await whoIs(token)).code).toBe(401);
  });

  test("bound to a pod ends with the pod", async () => {
    const spec = { serviceAccountName: "robot", containers: [{ name: "c", image: "i" }] };
    const body = { kind: "Pod", apiVersion: "v1", metadata: { name: "holder" }, spec };
    await admin.send(PODS, { body });
    const boundObjectRef = { kind: "Pod", apiVersion: "v1", name: "holder" };
    const token = tokenOf(await requestToken("robot", { boundObjectRef }));
    expect((await whoIs(token)).body).toMatchObject({
      status: { userInfo: { extra: { "authentication.kubernetes.io/pod-name": ["holder"] } } },
    });
    await admin.send(`${PODS}/holder?gracePeriodSeconds=0`, { method: "DELETE" });
    expect((await whoIs(token)).code).toBe(401);
  });

  test("is issued to a node for its own pods only", async () => {
    const files = await server.pki.issue("node-1", {
      user: "system:node:node-1",
      groups: ["system:nodes"],
    });
    const node = await connectClient(server, files);
    const spec = { serviceAccountName: "robot", containers: [{ name: "c", image: "i" }] };
    for (const [name, nodeName] of [
      ["mine", "node-1"],
      ["yours", "node-2"],
    ]) {
      const body = { kind: "Pod", apiVersion: "v1", metadata: { name }, spec };
      await admin.send(PODS, { body: { ...body, spec: { ...spec, nodeName } } });
    }
    const bound = (name: string): object => ({
      boundObjectRef: { kind: "Pod", apiVersion: "v1", name },
    });
    expect((await requestToken("robot", bound("mine"), node)).code).toBe(201);
    expect((await requestToken("robot", bound("yours"), node)).code).toBe(403);
    expect((await requestToken("robot", {}, node)).code).toBe(403);
    node.close();
  });

  test("is explained by a TokenReview, also for another audience", async () => {
    const token = tokenOf(await requestToken("robot", { audiences: ["istio-ca"] }));
    const path = "/apis/authentication.k8s.io/v1/tokenreviews";
    const review = (spec: object): Promise<TestResponse> => admin.send(path, { body: { spec } });
    expect((await review({ token, audiences: ["istio-ca", "other"] })).body).toMatchObject({
      status: {
        authenticated: true,
        audiences: ["istio-ca"],
        user: { username: "system:serviceaccount:default:robot" },
      },
    });
    expect((await review({ token })).body).toMatchObject({ status: { authenticated: false } });
  });
});

describe("impersonation", () => {
  test("is for system:masters", async () => {
    const headers = { "impersonate-user": "system:serviceaccount:default:robot" };
    expect((await admin.send(PODS, { headers })).code).toBe(403);
    const token = tokenOf(await requestToken("robot"));
    const both = { authorization: `Bearer ${token}`, "impersonate-user": "admin" };
    expect((await stranger.send("/api", { headers: both })).code).toBe(403);
  });

  test("has access reviews answer for oneself and others", async () => {
    const resourceAttributes = { verb: "list", resource: "pods", namespace: "default" };
    const ask = (kind: string, spec: object): Promise<TestResponse> =>
      admin.send(`/apis/authorization.k8s.io/v1/${kind}`, { body: { spec } });
    expect((await ask("selfsubjectaccessreviews", { resourceAttributes })).body).toMatchObject({
      status: { allowed: true },
    });
    const spec = { user: "nobody", groups: [], resourceAttributes };
    expect((await ask("subjectaccessreviews", spec)).body).toMatchObject({
      status: { allowed: false },
    });
  });
});
