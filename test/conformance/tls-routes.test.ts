/** VirtualService, tls[]: connections told apart by the name of their SNI, which nobody opens. */

import type { AddressInfo } from "node:net";
import tls from "node:tls";
import { afterAll, beforeAll, test } from "@jest/globals";
import { waitUntil } from "#cluster/client/testing/wait-until.ts";
import { Authority } from "#test/features/certificates.ts";
import { describeMesh, istio, virtualService } from "./harness.ts";

const entryOf = (name: string, vip: string, endpoint: string, port: number): string =>
  istio(
    "ServiceEntry",
    `tls-${name}`,
    `
  hosts: [${name}.tls.example.org]
  addresses: [${vip}]
  ports: [{ number: 443, name: tls, protocol: TLS, targetPort: ${port} }]
  resolution: STATIC
  endpoints: [{ address: ${endpoint} }]`,
  );
const ONE = { name: "one.tls.example.org", address: "127.31.0.11" };
const FIRST = "127.30.0.1";
const SECOND = "127.30.0.2";

describeMesh("a tls route", (mesh) => {
  let server: tls.Server;
  let services = "";
  beforeAll(async () => {
    const authority = await Authority.create("tests");
    server = tls.createServer(await authority.issue("tls.example.org"), (socket) => {
      socket.on("error", () => socket.destroy());
      socket.end(`${socket.localAddress} for ${String(socket.servername)}`);
    });
    await new Promise<void>((resolve) => server.listen(0, "0.0.0.0", resolve));
    const { port } = server.address() as AddressInfo;
    services =
      entryOf("one", ONE.address, FIRST, port) + entryOf("two", "127.31.0.12", SECOND, port);
  });
  afterAll(() => void server.close());

  /** What the one says who ended the client's TLS; nothing where the connection is closed. */
  const greeting = (servername: string, address: string): Promise<string> =>
    new Promise((resolve) => {
      const socket = mesh.connect(address, 443);
      let text = "";
      const secure = tls.connect({ socket, servername, rejectUnauthorized: false });
      secure.on("data", (chunk: Buffer) => (text += chunk.toString()));
      secure.on("error", () => resolve(text));
      secure.on("close", () => resolve(text));
    });
  const greets = (servername: string, address: string, text: string): Promise<void> =>
    waitUntil(
      `"${text}" greets ${servername}`,
      async () => (await greeting(servername, address)) === text,
      20_000,
    );
  const route = (hosts: string, sni: string, to: string): string =>
    virtualService(`
  hosts: ${hosts}
  tls: [{ match: [{ port: 443, sniHosts: ["${sni}"] }], route: [{ destination: { host: ${to} } }] }]`);

  test("is the service's own where there is no rule", async () => {
    mesh.apply(services);
    await greets(ONE.name, ONE.address, `${FIRST} for ${ONE.name}`);
  });

  test("leads a name to another service, which sees that name", async () => {
    mesh.apply(services + route(`[${ONE.name}]`, ONE.name, "two.tls.example.org"));
    await greets(ONE.name, ONE.address, `${SECOND} for ${ONE.name}`);
  });

  test("is for all names of a wildcard", async () => {
    const host = "*.tls.example.org";
    mesh.apply(services + route(`["${host}"]`, host, "two.tls.example.org"));
    await greets(ONE.name, ONE.address, `${SECOND} for ${ONE.name}`);
  });

  test("shares connections by weight", async () => {
    const both = (first: number): string =>
      virtualService(`
  hosts: [${ONE.name}]
  tls:
  - match: [{ port: 443, sniHosts: [${ONE.name}] }]
    route:
    - { destination: { host: one.tls.example.org }, weight: ${first} }
    - { destination: { host: two.tls.example.org }, weight: ${100 - first} }`);
    mesh.apply(services + both(0));
    await greets(ONE.name, ONE.address, `${SECOND} for ${ONE.name}`);
    mesh.apply(both(50));
    await greets(ONE.name, ONE.address, `${FIRST} for ${ONE.name}`);
    await greets(ONE.name, ONE.address, `${SECOND} for ${ONE.name}`);
  });

  test("finds a service without an address by its name alone", async () => {
    const closed = `
apiVersion: v1
kind: ConfigMap
metadata: { name: istio, namespace: istio-system }
data: { mesh: "outboundTrafficPolicy: { mode: REGISTRY_ONLY }" }
---`;
    mesh.apply(closed + services.replace(`  addresses: [${ONE.address}]\n`, ""));
    await greets(ONE.name, "127.31.0.13", `${FIRST} for ${ONE.name}`);
    await greets("nobody.example.org", "127.31.0.13", "");
  });
});
