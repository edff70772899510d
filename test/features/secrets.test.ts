/** Certificates of Secrets in the real Envoy, and who is told of them. */

import https from "node:https";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { waitUntil } from "#cluster/client/testing/wait-until.ts";
import { LISTENER, SECRET, VIRTUAL_HOST } from "#pilot/cache/type-url.ts";
import { configDump } from "#pilot/debug/config-dump.ts";
import { findEnvoy } from "#test/golden/envoy-validate.ts";
import { AdsClient } from "./ads-client.ts";
import { Authority, type Certificate } from "./certificates.ts";
import { type EnvoyProcess, GATEWAY, startEnvoy } from "./envoy-process.ts";
import { type HttpsCall, callHttps } from "./https-call.ts";
import { type PilotWorld, startPilot } from "./pilot-world.ts";

const envoy = findEnvoy();
const ifEnvoy = envoy === undefined ? describe.skip : describe;
const PORT = 30_000 + (process.pid % 2_000);

const SERVERS = ["good", "other", "mutual", "missing", "mismatch"];

const GATEWAYS = `
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: { name: web, namespace: default }
spec:
  selector: { istio: test }
  servers:
${SERVERS.map((name) => `  - { port: { number: ${PORT}, name: ${name}, protocol: HTTPS }, hosts: [${name}.example.org], tls: { mode: ${name === "mutual" ? "MUTUAL" : "SIMPLE"}, credentialName: ${name} } }`).join("\n")}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: web, namespace: default }
spec:
  hosts: ["*.example.org"]
  gateways: [web]
  http: [{ directResponse: { status: 200, body: { string: served } } }]
`;

function secret(name: string, data: Record<string, string>, namespace = "default"): string {
  const metadata = { name, namespace };
  return `${JSON.stringify({ apiVersion: "v1", kind: "Secret", metadata, stringData: data })}\n---\n`;
}

function tlsSecret(name: string, { cert, key }: Certificate, more: object = {}): string {
  return secret(name, { "tls.crt": cert, "tls.key": key, ...more });
}

describe("secret discovery", () => {
  let authority: Authority;
  let good: Certificate;
  let pilot: PilotWorld;
  const clients: AdsClient[] = [];

  const connect = (node: object, to: PilotWorld = pilot): AdsClient => {
    const client = new AdsClient(to.server.port, node);
    clients.push(client);
    return client;
  };
  const gateway = { ...GATEWAY, userAgentName: "envoy" };

  beforeAll(async () => {
    authority = await Authority.create("test");
    good = await authority.issue("good.example.org");
    pilot = await startPilot(`${tlsSecret("good", good)}${tlsSecret("unused", good)}${GATEWAYS}`);
  });

  afterAll(async () => {
    for (const client of clients) client.close();
    await pilot.close();
  });

  test("tells a gateway what its Gateways name, when it asks, and nothing else", async () => {
    const client = connect(gateway);
    await waitUntil("its listener", () => client.of(LISTENER).size === 1);
    expect(client.of(SECRET).size).toBe(0);
    client.want(SECRET, ["kubernetes://good", "kubernetes://unused", "kubernetes://nowhere"]);
    await waitUntil("an answer", () => client.received.some(({ type }) => type === SECRET));
    expect([...client.of(SECRET).keys()]).toEqual(["kubernetes://good"]);
    const removed = client.received.flatMap((one) => (one.type === SECRET ? one.removed : []));
    expect(removed.toSorted()).toEqual(["kubernetes://nowhere", "kubernetes://unused"]);
  });

  test("sends a changed Secret, and that alone", async () => {
    const client = connect(gateway);
    client.want(SECRET, ["kubernetes://good"]);
    await waitUntil("the Secret", () => client.of(SECRET).size === 1);
    await waitUntil("all else", () => client.received.some(({ type }) => type === VIRTUAL_HOST));
    const before = client.of(SECRET).get("kubernetes://good");
    client.clear();
    pilot.apply(tlsSecret("good", await authority.issue("good.example.org")));
    await waitUntil("the new one", () => client.of(SECRET).get("kubernetes://good") !== before);
    expect(client.received.map(({ type }) => type)).toEqual([SECRET]);
    pilot.apply(tlsSecret("good", good));
  });

  test("tells nobody of another namespace, no sidecar, and nobody where access is closed", async () => {
    const foreign = {
      ...gateway,
      id: gateway.id.replaceAll("default", "other"),
      metadata: { ...gateway.metadata, NAMESPACE: "other" },
    };
    const sidecar = { ...gateway, id: gateway.id.replace("router", "sidecar") };
    const closed = await startPilot(`${tlsSecret("good", good)}${GATEWAYS}`, "nobody");
    const unknown = await startPilot(`${tlsSecret("good", good)}${GATEWAYS}`, "workloads");
    for (const client of [
      connect(foreign),
      connect(sidecar),
      connect(gateway, closed),
      connect(gateway, unknown),
    ]) {
      client.want(SECRET, ["kubernetes://good", "kubernetes://default/good"]);
      await waitUntil("an answer", () => client.received.some(({ type }) => type === SECRET));
      expect(client.of(SECRET).size).toBe(0);
    }
    await closed.close();
    await unknown.close();
  });

  test("tells a workload as soon as its address is known", async () => {
    const unknown = await startPilot(`${tlsSecret("good", good)}${GATEWAYS}`, "workloads");
    const client = connect(gateway, unknown);
    client.want(SECRET, ["kubernetes://good"]);
    await waitUntil("an answer", () => client.received.some(({ type }) => type === SECRET));
    expect(unknown.pusher.problems().map(({ reason }) => reason)).toContain("SecretsWithheld");
    unknown.apply(`
apiVersion: v1
kind: Pod
metadata: { name: gateway-1, namespace: default, labels: { istio: test } }
spec: { containers: [] }
status: { podIP: 127.0.0.1, phase: Running }
`);
    await waitUntil("the Secret", () => client.of(SECRET).size === 1);
    await unknown.close();
  });

  test("goes on serving what a rule names when no Gateway does any more", async () => {
    const rule = `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: upstream, namespace: default }
spec: { host: upstream.example.org, trafficPolicy: { tls: { mode: MUTUAL, credentialName: good } } }
`;
    const both = await startPilot(`${tlsSecret("good", good)}${GATEWAYS}\n---\n${rule}`);
    const client = connect(gateway, both);
    client.want(SECRET, ["kubernetes://good"]);
    await waitUntil("all else", () => client.received.some(({ type }) => type === VIRTUAL_HOST));
    await waitUntil("the Secret", () => client.of(SECRET).size === 1);
    both.delete(GATEWAYS);
    await waitUntil("no listener", () => client.of(LISTENER).size === 0);
    expect(client.of(SECRET).size).toBe(1);
    both.delete(rule);
    await waitUntil("no Secret", () => client.of(SECRET).size === 0);
    await both.close();
  });

  test("shows keys to nobody else: not in dumps, logs or problems", async () => {
    const client = connect(gateway);
    client.want(SECRET, ["kubernetes://good"]);
    await waitUntil("the Secret", () => client.of(SECRET).size === 1);
    const [connection] = pilot.pusher.connections;
    if (connection === undefined) throw new Error("nobody is connected");
    const shown = [
      JSON.stringify(configDump(connection, { endpoints: true })),
      JSON.stringify([...pilot.pusher.context.objects.values()]),
      JSON.stringify(pilot.pusher.problems()),
      pilot.logged.join("\n"),
    ].join("\n");
    const key = good.key.split("\n")[1] ?? "";
    expect(shown).toContain("kubernetes://good");
    expect(shown).not.toContain(key);
    expect(shown).not.toContain(Buffer.from(good.key).toString("base64").slice(60, 120));
  });
});

ifEnvoy("Envoy with certificates of Secrets", () => {
  let authority: Authority;
  let pilot: PilotWorld;
  let proxy: EnvoyProcess;
  let client: Certificate;

  const call = (name: string, options: Partial<HttpsCall> = {}): Promise<string> =>
    callHttps({ port: PORT, name: `${name}.example.org`, ca: authority.cert, ...options });

  beforeAll(async () => {
    authority = await Authority.create("test");
    client = await authority.issue("client.example.org");
    const [good, other] = [
      await authority.issue("good.example.org"),
      await authority.issue("other.example.org"),
    ];
    const mutual = await authority.issue("mutual.example.org");
    pilot = await startPilot(
      tlsSecret("good", good) +
        tlsSecret("other", other) +
        tlsSecret("mutual", mutual, { "ca.crt": authority.cert }) +
        tlsSecret("mismatch", { cert: good.cert, key: other.key }) +
        GATEWAYS,
    );
    proxy = startEnvoy(envoy ?? "", pilot.server.port);
    await waitUntil(
      "it serves",
      async () => (await call("good")) === "200 good.example.org",
      20_000,
    );
  }, 30_000);

  afterAll(async () => {
    await proxy.stop();
    await pilot.close();
  });

  test("shows each name its own certificate", async () => {
    expect(await call("other")).toBe("200 other.example.org");
  });

  test("closes only servers whose Secret is missing or wrong, and the Gateway is told", async () => {
    expect(await call("missing")).toBe("closed");
    expect(await call("mismatch")).toBe("closed");
    expect(await call("good")).toBe("200 good.example.org");
    const problems = pilot.pusher
      .problems()
      .map(({ object, path, reason }) => [object, path, reason]);
    expect(problems).toEqual([
      ["Gateway/default/web", "spec.servers[3].tls.credentialName", "SecretNotFound"],
      ["Gateway/default/web", "spec.servers[4].tls.credentialName", "KeyMismatch"],
    ]);
    expect(pilot.rejections).toEqual([]);
  });

  test("serves a missing Secret as soon as it is there", async () => {
    pilot.apply(tlsSecret("missing", await authority.issue("missing.example.org")));
    await waitUntil("it serves", async () => (await call("missing")) === "200 missing.example.org");
  });

  test("asks for a client's certificate, and takes none of a stranger", async () => {
    const stranger = await (await Authority.create("stranger")).issue("client.example.org");
    expect(await call("mutual")).toBe("closed");
    expect(await call("mutual", { certificate: stranger })).toBe("closed");
    expect(await call("mutual", { certificate: client })).toBe("200 mutual.example.org");
  });

  test("keeps connections when a certificate is replaced", async () => {
    const agent = new https.Agent({ keepAlive: true, maxSockets: 1 });
    const kept = (): Promise<string> => call("good", { agent });
    expect(await kept()).toBe("200 good.example.org");
    const [socket] = Object.values(agent.freeSockets).flat();
    const renewed = await authority.issue("renewed.example.org");
    pilot.apply(tlsSecret("good", renewed));
    await waitUntil(
      "the new certificate",
      async () => (await call("good", { anyName: true })) === "200 renewed.example.org",
    );
    expect(await kept()).toBe("200 good.example.org");
    expect(Object.values(agent.freeSockets).flat()).toEqual([socket]);
    agent.destroy();
    const stats = await proxy.admin("/stats?filter=update_rejected");
    expect(stats.match(/update_rejected: [1-9]/g)).toBeNull();
  });
});
