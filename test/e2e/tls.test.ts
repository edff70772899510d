/** HTTPS from localhost through the cluster's ingress gateway, with certificates of Secrets. */

import https from "node:https";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { Authority, type Certificate } from "#test/features/certificates.ts";
import { type HttpsCall, callHttps } from "#test/features/https-call.ts";
import { KUBECTL, startCluster } from "./cluster.ts";
import type { TestCluster } from "./cluster.ts";
import { manifest } from "./echo.ts";
import { eventually } from "./eventually.ts";

const GATEWAY_NAMESPACE = "istio-system";
const suite = KUBECTL === undefined ? describe.skip : describe;

function istio(kind: string, name: string, spec: object): object {
  const metadata = { name, namespace: "default" };
  return { apiVersion: "networking.istio.io/v1", kind, metadata, spec };
}

function tlsSecret(name: string, { cert, key }: Certificate, more: object = {}): object {
  return {
    apiVersion: "v1",
    kind: "Secret",
    type: "kubernetes.io/tls",
    metadata: { name, namespace: GATEWAY_NAMESPACE },
    stringData: { "tls.crt": cert, "tls.key": key, ...more },
  };
}

const SERVERS = [
  { name: "shop", mode: "SIMPLE" },
  { name: "other", mode: "SIMPLE" },
  { name: "mutual", mode: "MUTUAL" },
].map(({ name, mode }) => ({
  port: { number: 443, name, protocol: "HTTPS" },
  hosts: [`${name}.example.org`],
  tls: { mode, credentialName: name },
}));

const ROUTES = [
  istio("Gateway", "secure", { selector: { istio: "ingressgateway" }, servers: SERVERS }),
  istio("VirtualService", "secure", {
    hosts: ["*.example.org"],
    gateways: ["secure"],
    http: [{ directResponse: { status: 200, body: { string: "served" } } }],
  }),
];

const INGRESS = {
  apiVersion: "networking.k8s.io/v1",
  kind: "Ingress",
  metadata: { name: "web", namespace: "default" },
  spec: {
    tls: [{ hosts: ["web.example.net"], secretName: "web" }],
    rules: [
      {
        host: "web.example.net",
        http: {
          paths: [
            {
              path: "/",
              pathType: "Prefix",
              backend: { service: { name: "nothing", port: { number: 80 } } },
            },
          ],
        },
      },
    ],
  },
};

suite("HTTPS at the ingress", () => {
  let cluster: TestCluster;
  let authority: Authority;
  let port: number;

  const apply = (...objects: object[]): Promise<string> =>
    cluster.kubectlOk(["apply", "-f", "-"], manifest(...objects));
  const call = (name: string, more: Partial<HttpsCall> = {}): Promise<string> =>
    callHttps({ port, name, ca: authority.cert, ...more });

  beforeAll(async () => {
    cluster = await startCluster("tls", []);
    authority = await Authority.create("test");
    port = Number(new URL((await cluster.status()).ingress.https ?? "").port);
    await apply(
      tlsSecret("shop", await authority.issue("shop.example.org")),
      tlsSecret("other", await authority.issue("other.example.org")),
      tlsSecret("mutual", await authority.issue("mutual.example.org"), {
        "ca.crt": authority.cert,
      }),
      ...ROUTES,
    );
    await eventually("HTTPS", 10_000, async () => {
      return (await call("shop.example.org")) === "200 shop.example.org";
    });
  }, 120_000);

  afterAll(async () => {
    await cluster.down();
  }, 60_000);

  test("shows each name its own certificate, and closes names that nobody serves", async () => {
    expect(await call("other.example.org")).toBe("200 other.example.org");
    expect(await call("nobody.example.org")).toBe("closed");
  });

  test("lets in those only whose certificate it trusts, where it asks for one", async () => {
    const stranger = await Authority.create("stranger");
    const name = "mutual.example.org";
    expect(await call(name)).toBe("closed");
    const foreign = await stranger.issue("client.example.org");
    expect(await call(name, { certificate: foreign })).toBe("closed");
    const certificate = await authority.issue("client.example.org");
    expect(await call(name, { certificate })).toBe(`200 ${name}`);
  });

  test("takes a renewed certificate without dropping a connection", async () => {
    const agent = new https.Agent({ keepAlive: true, maxSockets: 1 });
    expect(await call("shop.example.org", { agent })).toBe("200 shop.example.org");
    const [socket] = Object.values(agent.freeSockets).flat();
    await apply(tlsSecret("shop", await authority.issue("renewed.example.org")));
    await eventually("the new certificate", 5_000, async () => {
      return (await call("shop.example.org", { anyName: true })) === "200 renewed.example.org";
    });
    expect(await call("shop.example.org", { agent })).toBe("200 shop.example.org");
    expect(Object.values(agent.freeSockets).flat()).toEqual([socket]);
    agent.destroy();
  });

  test("tells an Ingress that its Secret is missing, and serves it once it is there", async () => {
    await apply(INGRESS);
    await eventually("the event", 10_000, async () => {
      const text = await cluster.kubectlOk(["describe", "ingress", "web"]);
      return text.includes("SecretNotFound") && text.includes("spec.tls[0].secretName");
    });
    expect(await call("web.example.net")).toBe("closed");
    expect(await call("other.example.org")).toBe("200 other.example.org");
    await apply(tlsSecret("web", await authority.issue("web.example.net")));
    // Its Service doesn't exist: the answer is the gateway's own.
    await eventually("HTTPS of the Ingress", 5_000, async () => {
      return (await call("web.example.net")) === "503 web.example.net";
    });
  });
});
