import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { request } from "node:https";
import { makeTestCertificate } from "#cluster/client/testing/test-certificate.ts";
import { matchesLabelSelector } from "#cluster/api/selector.ts";
import { DEFAULT_CONFIG } from "#sidecar-injector/inject/config.ts";
import { manifest } from "./manifest.ts";
import { fixedSettings, runWebhook } from "./run.ts";

describe("runWebhook", () => {
  const abort = new AbortController();
  const lines: string[] = [];
  let port: number;
  let ca: string;
  let running: Promise<void>;

  beforeAll(async () => {
    const certificate = await makeTestCertificate();
    ca = certificate.cert;
    port = await new Promise<number>((resolve, reject) => {
      running = runWebhook({
        port: 0,
        serving: certificate,
        settings: () => fixedSettings({ ...DEFAULT_CONFIG, clusterId: "demo" }),
        signal: abort.signal,
        onListening: resolve,
        log: (line) => lines.push(line),
      });
      running.catch(reject);
    });
  });

  afterAll(async () => {
    abort.abort();
    await running;
  });

  async function post(
    body: unknown,
    where = "/inject?timeout=10s",
  ): Promise<{ code: number; body: string }> {
    return new Promise((resolve, reject) => {
      const options = { host: "127.0.0.1", port, ca, method: "POST", path: where };
      const call = request(options, (response) => {
        let text = "";
        response.setEncoding("utf8").on("data", (part: string) => (text += part));
        response.on("end", () => resolve({ code: response.statusCode ?? 0, body: text }));
      });
      call.on("error", reject);
      call.end(typeof body === "string" ? body : JSON.stringify(body));
    });
  }

  function review(object: object): object {
    return {
      apiVersion: "admission.k8s.io/v1",
      kind: "AdmissionReview",
      request: { uid: "u-1", namespace: "default", operation: "CREATE", object },
    };
  }

  const pod = {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "hello" },
    spec: { containers: [{ name: "hello", image: "example.org/hello" }] },
  };

  test("answers a pod with a JSON patch", async () => {
    const { code, body } = await post(review(pod));
    expect(code).toBe(200);
    const { response } = JSON.parse(body) as { response: Record<string, unknown> };
    expect(response).toMatchObject({ uid: "u-1", allowed: true, patchType: "JSONPatch" });
    const patch = Buffer.from(String(response.patch), "base64").toString("utf8");
    expect(patch).toContain('"path":"/spec/initContainers"');
    expect(patch).toContain('CLUSTER_ID\\":\\"demo');
    expect(lines.at(-1)).toContain("default/hello: injected");
  });

  test("refuses a wrong annotation with a Status that names it", async () => {
    const metadata = { name: "hello", annotations: { "sidecar.istio.io/logLevel": "loud" } };
    const { body } = await post(review({ ...pod, metadata }));
    const { response } = JSON.parse(body) as { response: Record<string, unknown> };
    expect(response).toMatchObject({
      allowed: false,
      status: {
        code: 422,
        details: { causes: [{ field: "metadata.annotations[sidecar.istio.io/logLevel]" }] },
      },
    });
  });

  test("the URL names cluster and network, as Istio's does", async () => {
    const { body } = await post(review(pod), "/inject/cluster/east/net/one");
    const { response } = JSON.parse(body) as { response: { patch: string } };
    const patch = Buffer.from(response.patch, "base64").toString("utf8");
    expect(patch).toContain('CLUSTER_ID\\":\\"east');
    expect(patch).toContain('"topology.istio.io/network":"one"');
    expect((await post(review(pod), "/inject/cluster/..%2F")).code).toBe(404);
  });

  test("what has no effect is a warning", async () => {
    const metadata = { name: "hello", annotations: { "sidecar.istio.io/agentLogLevel": "debug" } };
    const { body } = await post(review({ ...pod, metadata }));
    expect(body).toContain("agentLogLevel has no effect");
  });

  test.each([
    ["no JSON", "{"],
    ["no review", {}],
    ["no pod", { ...review({ kind: "Pod", spec: {} }) }],
    ["labels that are no text", review({ ...pod, metadata: { labels: { a: 1 } } })],
  ])("%s is answered with 400", async (_name, body) => {
    expect((await post(body)).code).toBe(400);
  });

  test("a body that is too large is answered with 413", async () => {
    expect((await post("x".repeat(4 * 1024 * 1024))).code).toBe(413);
  });
});

describe("manifest", () => {
  const { webhooks = [] } = manifest({
    client: { url: "https://127.0.0.1:1/inject" },
    caPem: "PEM",
  });

  function asked(namespace: Record<string, string>, pod: Record<string, string>): number {
    return webhooks.filter(
      ({ namespaceSelector, objectSelector }) =>
        matchesLabelSelector(namespaceSelector, namespace) &&
        matchesLabelSelector(objectSelector, pod),
    ).length;
  }

  const NAME = "kubernetes.io/metadata.name";
  const INJECT = "sidecar.istio.io/inject";

  test.each([
    ["an enabled namespace", { "istio-injection": "enabled" }, {}, 1],
    ["a pod that doesn't want it", { "istio-injection": "enabled" }, { [INJECT]: "false" }, 0],
    ["a disabled namespace", { "istio-injection": "disabled" }, { [INJECT]: "true" }, 0],
    ["a pod that asks", {}, { [INJECT]: "true" }, 1],
    ["nobody asks", {}, {}, 0],
    ["our revision", { "istio.io/rev": "default" }, {}, 1],
    [
      "a pod that asks in a namespace of our revision",
      { "istio.io/rev": "default" },
      { [INJECT]: "true" },
      1,
    ],
    ["another revision", { "istio.io/rev": "canary" }, {}, 0],
    ["a pod of our revision", {}, { "istio.io/rev": "default" }, 1],
    ["kube-system", { [NAME]: "kube-system", "istio-injection": "enabled" }, {}, 0],
    ["istio-system", { [NAME]: "istio-system", "istio-injection": "enabled" }, {}, 0],
    ["a gateway in istio-system", { [NAME]: "istio-system" }, { [INJECT]: "true" }, 1],
  ])("%s", (_name, namespace, pod, times) => {
    expect(asked(namespace, pod)).toBe(times);
  });
});
