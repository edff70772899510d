import { readFile } from "node:fs/promises";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
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
  await create("/api/v1/namespaces/default/serviceaccounts", "ServiceAccount", "default");
});

afterAll(async () => {
  client.close();
  await server.remove();
});

const PODS = "/api/v1/namespaces/default/pods";
const CONTAINERS = [{ name: "c", image: "example.org/c:1" }];

function create(path: string, kind: string, name: string, rest = {}): Promise<TestResponse> {
  return client.send(path, { body: { kind, apiVersion: "v1", metadata: { name }, ...rest } });
}

describe("a pod's ServiceAccount", () => {
  interface PodBody {
    spec: {
      serviceAccountName: string;
      volumes?: { name: string }[];
      containers: { volumeMounts?: { name: string; mountPath: string }[] }[];
    };
  }

  test("is the default one, with its token mounted in every container", async () => {
    const { body } = await create(PODS, "Pod", "plain", { spec: { containers: CONTAINERS } });
    const { spec } = body as PodBody;
    const name = spec.volumes?.[0]?.name ?? "";
    expect(spec.serviceAccountName).toBe("default");
    expect(name).toMatch(/^kube-api-access-[a-z0-9]{5}$/);
    expect(spec.containers[0]?.volumeMounts).toMatchObject([
      { name, mountPath: "/var/run/secrets/kubernetes.io/serviceaccount", readOnly: true },
    ]);
  });

  test("isn't mounted for those who don't want it", async () => {
    const spec = { containers: CONTAINERS, automountServiceAccountToken: false };
    const { body } = await create(PODS, "Pod", "unmounted", { spec });
    expect((body as PodBody).spec.volumes).toBeUndefined();
  });

  test("must exist", async () => {
    const spec = { containers: CONTAINERS, serviceAccountName: "nobody" };
    expect((await create(PODS, "Pod", "orphan", { spec })).body).toMatchObject({
      code: 403,
      message:
        'pods "orphan" is forbidden: error looking up service account default/nobody: serviceaccount "nobody" not found',
    });
  });

  test("may come moments after the pod that waits for it", async () => {
    await create("/api/v1/namespaces", "Namespace", "fresh");
    const spec = { containers: CONTAINERS };
    const waiting = create("/api/v1/namespaces/fresh/pods", "Pod", "early", { spec });
    await create("/api/v1/namespaces/fresh/serviceaccounts", "ServiceAccount", "default");
    expect((await waiting).code).toBe(201);
  });
});

test("an Ingress without a class gets the default class", async () => {
  const annotations = { "ingressclass.kubernetes.io/is-default-class": "true" };
  await client.send("/apis/networking.k8s.io/v1/ingressclasses", {
    body: { metadata: { name: "main", annotations }, spec: { controller: "example.org/c" } },
  });
  const backend = { service: { name: "s", port: { number: 80 } } };
  const path = "/apis/networking.k8s.io/v1/namespaces/default/ingresses";
  const body = { metadata: { name: "i" }, spec: { defaultBackend: backend } };
  expect((await client.send(path, { body })).body).toMatchObject({
    spec: { ingressClassName: "main" },
  });
});

describe("a mutating webhook", () => {
  let webhook: Server;
  let port: number;
  let reviews: { operation: string; name: string; namespace: string }[];
  let respond: (review: { uid: string }) => object;

  beforeAll(async () => {
    const serves = ["127.0.0.1", "hook.default.svc"];
    const files = await server.pki.issue("hook", { user: "hook", serves });
    const [cert, key] = await Promise.all([readFile(files.certFile), readFile(files.keyFile)]);
    webhook = createServer({ cert, key }, (request, response) => {
      let text = "";
      request.on("data", (chunk: Buffer) => (text += chunk.toString()));
      request.on("end", () => {
        const review = JSON.parse(text) as { request: (typeof reviews)[number] & { uid: string } };
        reviews.push(review.request);
        const answer = { uid: review.request.uid, ...respond(review.request) };
        response.end(JSON.stringify({ ...review, response: answer }));
      });
    });
    await new Promise<void>((resolve) => webhook.listen(0, "127.0.0.1", resolve));
    ({ port } = webhook.address() as AddressInfo);
    await register("Fail");
    await create("/api/v1/namespaces", "Namespace", "hooked");
    await client.send("/api/v1/namespaces/hooked", {
      method: "PATCH",
      body: { metadata: { labels: { hook: "yes" } } },
      headers: { "content-type": "application/merge-patch+json" },
    });
  });

  afterAll(() => {
    webhook.close();
  });

  async function register(failurePolicy: string, target?: object): Promise<void> {
    const path = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations";
    await client.send(`${path}/hook`, { method: "DELETE" });
    const answer = await client.send(path, {
      body: {
        metadata: { name: "hook" },
        webhooks: [
          {
            name: "hook.example.org",
            clientConfig: {
              ...(target ?? { url: `https://127.0.0.1:${port}/mutate` }),
              caBundle: (await readFile(server.pki.caFile)).toString("base64"),
            },
            rules: [
              {
                operations: ["CREATE"],
                apiGroups: [""],
                apiVersions: ["v1"],
                resources: ["configmaps"],
              },
            ],
            namespaceSelector: { matchLabels: { hook: "yes" } },
            objectSelector: {
              matchExpressions: [{ key: "hook", operator: "NotIn", values: ["no"] }],
            },
            failurePolicy,
            sideEffects: "None",
            admissionReviewVersions: ["v1"],
          },
        ],
      },
    });
    expect(answer.code).toBe(201);
    reviews = [];
  }

  const HOOKED = "/api/v1/namespaces/hooked/configmaps";
  const patchOf = (operations: object[]): object => ({
    allowed: true,
    patchType: "JSONPatch",
    patch: Buffer.from(JSON.stringify(operations)).toString("base64"),
  });

  test("changes what its rules and selectors select, and nothing else", async () => {
    respond = () => patchOf([{ op: "add", path: "/data", value: { hooked: "yes" } }]);
    expect((await create(HOOKED, "ConfigMap", "seen")).body).toMatchObject({
      data: { hooked: "yes" },
    });
    expect(reviews).toMatchObject([{ operation: "CREATE", name: "seen", namespace: "hooked" }]);
    const other = await create("/api/v1/namespaces/default/configmaps", "ConfigMap", "other");
    expect(other.body).not.toHaveProperty("data");
    const labelled = { metadata: { name: "no", labels: { hook: "no" } } };
    expect((await create(HOOKED, "ConfigMap", "no", labelled)).body).not.toHaveProperty("data");
    expect(reviews).toHaveLength(1);
  });

  test("may refuse, with its reason", async () => {
    respond = () => ({ allowed: false, status: { message: "not today" } });
    expect((await create(HOOKED, "ConfigMap", "refused")).body).toMatchObject({
      code: 403,
      message: 'admission webhook "hook.example.org" denied the request: not today',
    });
  });

  test("behind a Service is called at an endpoint, by the Service's name", async () => {
    respond = () => patchOf([{ op: "add", path: "/data", value: { by: "service" } }]);
    await register("Fail", { service: { namespace: "default", name: "hook", path: "/mutate" } });
    const none = await create(HOOKED, "ConfigMap", "none");
    expect(none.body).toMatchObject({ code: 500, message: /service default\/hook not found/ });
    await create("/api/v1/namespaces/default/services", "Service", "hook", {
      spec: { ports: [{ port: 443, protocol: "TCP" }] },
    });
    const subsets = [{ addresses: [{ ip: "127.0.0.1" }], ports: [{ port, protocol: "TCP" }] }];
    await create("/api/v1/namespaces/default/endpoints", "Endpoints", "hook", { subsets });
    expect((await create(HOOKED, "ConfigMap", "by-service")).body).toMatchObject({
      data: { by: "service" },
    });
    await register("Fail");
  });

  test("that fails stops the request, or is ignored if so configured", async () => {
    respond = () => patchOf([{ op: "remove", path: "/nothing" }]);
    const failed = await create(HOOKED, "ConfigMap", "failed");
    expect(failed.body).toMatchObject({ code: 500, message: /its patch can't be applied/ });
    webhook.close();
    webhook.closeAllConnections();
    const unreachable = await create(HOOKED, "ConfigMap", "unreachable");
    expect(unreachable.body).toMatchObject({
      code: 500,
      message: /failed calling webhook "hook.example.org": .*ECONNREFUSED/,
    });
    await register("Ignore");
    const ignored = await create(HOOKED, "ConfigMap", "ignored");
    expect(ignored.code).toBe(201);
    expect(String(ignored.headers.warning)).toContain("failed calling webhook");
  });
});
