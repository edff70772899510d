import { createServer as createHttpsServer } from "node:https";
import { constants, createSecureServer } from "node:http2";
import type { Http2ServerRequest, Http2ServerResponse } from "node:http2";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo, Server, Socket } from "node:net";
import { afterEach, beforeAll, describe, expect, test } from "@jest/globals";
import { CONFIG_MAPS, NAMESPACES, PODS } from "#cluster/api/resources.ts";
import { hasReason } from "#cluster/api/status-error.ts";
import type { KubeClient } from "./client.ts";
import { createClient } from "./http-client.ts";
import { makeTestCertificate } from "./testing/test-certificate.ts";
import type { TestCertificate } from "./testing/test-certificate.ts";
import { waitUntil } from "./testing/wait-until.ts";

type Request = IncomingMessage | Http2ServerRequest;
type Response = ServerResponse | Http2ServerResponse;
type Handler = (request: Request, response: Response, body: string) => void;

interface TestServer {
  client: KubeClient;
  /** `METHOD path` of each request. */
  seen: string[];
  sockets: Set<Socket>;
}

let certificate: TestCertificate;
const closers: (() => void)[] = [];
beforeAll(async () => {
  certificate = await makeTestCertificate();
});
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

/** A server and a client for it; the handler must answer. */
async function serve(protocol: "h2" | "http/1.1", handler: Handler): Promise<TestServer> {
  const seen: string[] = [];
  const sockets = new Set<Socket>();
  const listener = (request: Request, response: Response): void => {
    seen.push(`${request.method} ${request.url}`);
    let body = "";
    request.setEncoding("utf8");
    request.on("data", (chunk: string) => {
      body += chunk;
    });
    request.on("end", () => handler(request, response, body));
  };
  const server: Server =
    protocol === "h2"
      ? createSecureServer({ ...certificate, settings: { maxConcurrentStreams: 3 } }, listener)
      : createHttpsServer(certificate, listener);
  server.on("secureConnection", (socket: Socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const { port } = server.address() as AddressInfo;
  const client = createClient({
    server: `https://127.0.0.1:${port}`,
    ca: certificate.cert,
    token: "secret",
    namespace: "default",
  });
  closers.push(() => {
    client.close();
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { client, seen, sockets };
}

function answer(response: Response, code: number, body: unknown): void {
  (response as ServerResponse).writeHead(code, { "content-type": "application/json" });
  response.end(JSON.stringify(body));
}

const POD = { metadata: { namespace: "default", name: "p" } };

describe.each(["h2", "http/1.1"] as const)("client over %s", (protocol) => {
  test("reads and writes with the paths, queries and bodies of Kubernetes", async () => {
    const bodies: string[] = [];
    const { client, seen } = await serve(protocol, (request, response, body) => {
      bodies.push(`${request.headers["content-type"]} ${body}`);
      expect(request.headers.authorization).toBe("Bearer secret");
      answer(response, 200, { ...POD, items: undefined });
    });
    const ref = { namespace: "default", name: "p" };
    await client.get(PODS, ref);
    await client.list(PODS, { labelSelector: "a=b,c", limit: 5 });
    await client.create(PODS, POD, { fieldManager: "me" });
    await client.update(NAMESPACES, { metadata: { name: "n" } }, { subresource: "finalize" });
    await client.updateStatus(PODS, POD);
    await client.patch(PODS, ref, { type: "merge", body: { a: 1 }, subresource: "status" });
    await client.delete(PODS, ref, { propagationPolicy: "Foreground" });
    await client.createSubresource(PODS, { ref, subresource: "binding" }, { b: 1 });
    expect(seen).toEqual([
      "GET /api/v1/namespaces/default/pods/p",
      "GET /api/v1/pods?labelSelector=a%3Db%2Cc&limit=5",
      "POST /api/v1/namespaces/default/pods?fieldManager=me",
      "PUT /api/v1/namespaces/n/finalize",
      "PUT /api/v1/namespaces/default/pods/p/status",
      "PATCH /api/v1/namespaces/default/pods/p/status",
      "DELETE /api/v1/namespaces/default/pods/p",
      "POST /api/v1/namespaces/default/pods/p/binding",
    ]);
    expect(bodies[2]).toContain('"apiVersion":"v1","kind":"Pod"');
    expect(bodies[5]).toBe('application/merge-patch+json {"a":1}');
    expect(bodies[6]).toContain('"propagationPolicy":"Foreground"');
  });

  test("throws the server's Status, and one of its own for other failures", async () => {
    const { client } = await serve(protocol, (request, response) => {
      if (request.url?.endsWith("/plain") === true) {
        response.statusCode = 503;
        response.end("upstream is away");
        return;
      }
      answer(response, 409, { kind: "Status", reason: "AlreadyExists", message: "it is there" });
    });
    const taken = await client.create(PODS, POD).catch((error: unknown) => error);
    expect(hasReason(taken, "AlreadyExists")).toBe(true);
    expect(String(taken)).toContain("it is there");
    const away = await client
      .get(PODS, { namespace: "default", name: "plain" })
      .catch((error: unknown) => error);
    expect(hasReason(away, "ServiceUnavailable")).toBe(true);
    expect(await client.raw("/plain")).toEqual({ code: 503, body: "upstream is away" });
  });

  test("streams watch events, also cut in the middle of a character", async () => {
    const line = Buffer.from(
      `${JSON.stringify({ type: "ADDED", object: { metadata: { name: "ä€" } } })}\n`,
    );
    const { client } = await serve(protocol, (_, response) => {
      const out = response as ServerResponse;
      out.writeHead(200, {});
      const cut = line.indexOf("ä") + 1;
      out.write(line.subarray(0, cut));
      setImmediate(() => out.end(Buffer.concat([line.subarray(cut), line])));
    });
    const names: string[] = [];
    const { signal } = new AbortController();
    for await (const event of client.watch(CONFIG_MAPS, { resourceVersion: "1", signal })) {
      names.push(event.object.metadata.name);
    }
    expect(names).toEqual(["ä€", "ä€"]);
  });

  test("a watch ends quietly by its signal, and throws when the connection breaks", async () => {
    const { client, sockets } = await serve(protocol, (_, response) => {
      const out = response as ServerResponse;
      out.writeHead(200, {});
      out.write(`${JSON.stringify({ type: "ADDED", object: POD })}\n`);
    });
    const follow = async (onEvent: () => void, signal: AbortSignal): Promise<string> => {
      try {
        for await (const _ of client.watch(PODS, { resourceVersion: "1", signal })) onEvent();
        return "ended";
      } catch (error) {
        return String(error);
      }
    };
    const stop = new AbortController();
    expect(await follow(() => stop.abort(), stop.signal)).toBe("ended");
    const breakAll = (): void => {
      for (const socket of sockets) socket.destroy();
    };
    expect(await follow(breakAll, new AbortController().signal)).toContain("watch /api/v1/pods");
  });

  test("a GET whose connection breaks is sent once more; a POST isn't", async () => {
    let toBreak = 1;
    const { client, seen } = await serve(protocol, (request, response) => {
      if (toBreak > 0) {
        toBreak -= 1;
        request.socket.destroy();
        return;
      }
      answer(response, 200, POD);
    });
    const pod = await client.get(PODS, { namespace: "default", name: "p" });
    expect(pod.metadata.name).toBe("p");
    expect(seen).toHaveLength(2);
    toBreak = 1;
    await expect(client.create(PODS, POD)).rejects.toThrow(/^POST https.*pods: /);
    expect(seen).toHaveLength(3);
  });

  test("opens another connection when the peer's stream limit is reached", async () => {
    const waiting: Response[] = [];
    const { client, sockets } = await serve(protocol, (_, response) => waiting.push(response));
    const gets = Array.from({ length: 5 }, () =>
      client.get(PODS, { namespace: "default", name: "p" }),
    );
    await waitUntil("all five arrived", () => waiting.length === 5);
    expect(sockets.size).toBeGreaterThan(1);
    for (const response of waiting) answer(response, 200, POD);
    await Promise.all(gets);
  });
});

test("a request that the server refused unseen is sent once more, whatever its method", async () => {
  let refusals = 1;
  const { client, seen } = await serve("h2", (_, response) => {
    if (refusals > 0) {
      refusals -= 1;
      (response as Http2ServerResponse).stream.close(constants.NGHTTP2_REFUSED_STREAM);
      return;
    }
    answer(response, 201, POD);
  });
  expect((await client.create(PODS, POD)).metadata.name).toBe("p");
  expect(seen).toHaveLength(2);
});

test("an unreachable server is an ordinary error that names the address", async () => {
  const client = createClient({ server: "https://127.0.0.1:1", namespace: "default" });
  await expect(client.list(PODS)).rejects.toThrow("GET https://127.0.0.1:1/api/v1/pods: connect");
});
