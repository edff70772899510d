import { readFile } from "node:fs/promises";
import type { IncomingMessage } from "node:http";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import type { TLSSocket } from "node:tls";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { WebSocket, WebSocketServer } from "ws";
import {
  connectClient,
  startTestServer,
  type TestClient,
  type TestServer,
} from "#cluster/apiserver/testing/test-server.ts";

let server: TestServer;
let client: TestClient;
let kubelet: Server;
const asked: string[] = [];

beforeAll(async () => {
  server = await startTestServer();
  client = await connectClient(server, server.admin);
  kubelet = await startKubelet();
  const { port } = kubelet.address() as AddressInfo;
  const node = { kind: "Node", apiVersion: "v1", metadata: { name: "node-1" } };
  await client.send("/api/v1/nodes", { body: node });
  const status = {
    addresses: [{ type: "InternalIP", address: "127.0.0.1" }],
    daemonEndpoints: { kubeletEndpoint: { Port: port } },
  };
  await client.send("/api/v1/nodes/node-1/status", { method: "PUT", body: { ...node, status } });
  const account = { kind: "ServiceAccount", apiVersion: "v1", metadata: { name: "default" } };
  await client.send("/api/v1/namespaces/default/serviceaccounts", { body: account });
  for (const [name, nodeName] of [
    ["p", "node-1"],
    ["unscheduled", undefined],
  ]) {
    const containers = ["a", "b"].map((c) => ({ name: c, image: "example.org/c:1" }));
    const spec = { nodeName, containers };
    await client.send(PODS, { body: { kind: "Pod", apiVersion: "v1", metadata: { name }, spec } });
  }
});

afterAll(async () => {
  client.close();
  kubelet.closeAllConnections();
  kubelet.close();
  await server.remove();
});

const PODS = "/api/v1/namespaces/default/pods";

/** Answers logs with text, and echoes on WebSockets, for clients with a certificate of the CA. */
async function startKubelet(): Promise<Server> {
  const files = await server.pki.issue("kubelet", { user: "node-1", serves: ["127.0.0.1"] });
  const [ca, cert, key] = await Promise.all(
    [files.caFile, files.certFile, files.keyFile].map((file) => readFile(file)),
  );
  const made = createServer({ ca, cert, key, requestCert: true }, (request, response) => {
    asked.push(`${userOf(request)} ${request.method} ${request.url}`);
    const missing = request.url?.includes("previous") === true;
    response.writeHead(missing ? 404 : 200, { "content-type": "text/plain" });
    response.end(missing ? "no previous container" : "line 1\nline 2\n");
  });
  const sockets = new WebSocketServer({
    noServer: true,
    handleProtocols: ([first]) => first ?? "",
  });
  made.on("upgrade", (request, socket, head) => {
    asked.push(`${userOf(request)} ${request.method} ${request.url}`);
    sockets.handleUpgrade(request, socket, head, (connection) => {
      connection.on("message", (data: Buffer) => connection.send(data));
    });
  });
  await new Promise<void>((resolve) => made.listen(0, "127.0.0.1", resolve));
  return made;
}

function userOf(request: IncomingMessage): string {
  const { subject } = (request.socket as TLSSocket).getPeerCertificate();
  return String(subject.CN);
}

describe("logs", () => {
  test("are the kubelet's, asked for with our own certificate", async () => {
    const answer = await client.send(`${PODS}/p/log?container=a&tailLines=2&evil=1`);
    expect(answer).toMatchObject({ code: 200, text: "line 1\nline 2\n" });
    expect(asked.at(-1)).toBe(
      "kube-apiserver-kubelet-client GET /containerLogs/default/p/a?tailLines=2",
    );
  });

  test.each([
    ["p/log", 400, /a container name must be specified for pod p, choose one of: \[a b\]/],
    ["p/log?container=x", 400, /container x is not valid for pod p/],
    ["p/log?container=a&previous=true", 404, /no previous container/],
    ["unscheduled/log?container=a", 400, /does not have a host assigned/],
    ["missing/log", 404, /pods "missing" not found/],
  ])("of %s are refused with %i", async (path, code, message) => {
    expect((await client.send(`${PODS}/${path}`)).body).toMatchObject({ code, message });
  });
});

describe("exec", () => {
  async function open(path: string): Promise<WebSocket> {
    return new WebSocket(`${server.url.replace("https", "wss")}${path}`, "v5.channel.k8s.io", {
      ca: await readFile(server.admin.caFile),
      cert: await readFile(server.admin.certFile),
      key: await readFile(server.admin.keyFile),
    });
  }

  test("is a WebSocket to the kubelet, byte for byte", async () => {
    const query = "container=a&command=echo&command=hi+there&stdin=true&stdout=true&tty=false";
    const socket = await open(`${PODS}/p/exec?${query}`);
    const echoed = new Promise((resolve, reject) => {
      socket.on("open", () => socket.send(Buffer.from([0, 1, 2, 250])));
      socket.on("message", resolve);
      socket.on("error", reject);
    });
    expect(await echoed).toEqual(Buffer.from([0, 1, 2, 250]));
    expect(socket.protocol).toBe("v5.channel.k8s.io");
    expect(asked.at(-1)).toBe(
      "kube-apiserver-kubelet-client GET /exec/default/p/a?command=echo&command=hi+there&input=1&output=1",
    );
    socket.terminate();
  });

  test.each([
    [`${PODS}/missing/exec?command=a`, 404],
    [`${PODS}/p/exec?command=a`, 400],
    [`${PODS}/p/exec?command=a&container=nope`, 400],
    [`${PODS}/p/portforward?ports=80`, 400],
    ["/api/v1/nodes", 400],
  ])("of %s is refused with %i before the upgrade", async (path, code) => {
    const socket = await open(path);
    const refused = new Promise((resolve) => {
      socket.on("unexpected-response", (_, response) => resolve(response.statusCode));
      socket.on("error", resolve);
    });
    expect(await refused).toBe(code);
  });
});
