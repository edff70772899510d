/** The HTTP server that every service of the demo is, with an end that loses no request. */

// Importing node:http would load all of fetch with it: 30 ms and 20 MB of every start.
const { createServer } = process.getBuiltinModule("node:http");

/** @typedef {import("node:http").IncomingMessage} Request */

/**
 * `type` is `application/json` when absent.
 *
 * @typedef {{ status: number; body: string; type?: string; headers?: Record<string, string> }} Reply
 */

/**
 * Answers one request; what it throws becomes a 500.
 *
 * @typedef {(request: Request, url: URL) => Reply | Promise<Reply>} Handler
 */

const DEFAULT_PORT = 9080;
/** After SIGTERM the service goes on this long, while the news that it ends travels. */
const LAME_DUCK_MS = 2_000;
/** Then requests under way have this long. */
const LAST_REQUESTS_MS = 5_000;
const MAX_BODY_BYTES = 64 * 1024;

/**
 * Serves on `PORT` (9080) until SIGTERM and a while longer, then ends the process with 0.
 *
 * @param {string} name
 * @param {Handler} handler
 */
export function serve(name, handler) {
  let ending = false;
  const server = createServer((request, response) => {
    if (ending) response.setHeader("connection", "close");
    void answer(handler, request, response);
  });
  // Envoy keeps connections open much longer than Node's five seconds: a server that closes one
  // just as a request arrives on it would lose the request.
  server.keepAliveTimeout = 0;
  server.listen(Number(process.env.PORT ?? DEFAULT_PORT), () => {
    const address = server.address();
    const port = typeof address === "object" ? address?.port : undefined;
    console.log(`${name} is serving on ${port}`);
  });
  process.once("SIGTERM", () => {
    ending = true;
    setTimeout(() => {
      server.close(() => process.exit(0));
      server.closeIdleConnections();
      setTimeout(() => process.exit(0), LAST_REQUESTS_MS);
    }, LAME_DUCK_MS);
  });
  process.once("SIGINT", () => process.exit(0));
}

/**
 * @param {Handler} handler
 * @param {Request} request
 * @param {import("node:http").ServerResponse} response
 */
async function answer(handler, request, response) {
  let reply;
  try {
    reply = await handler(request, new URL(request.url ?? "/", "http://service"));
  } catch (error) {
    console.error(error);
    reply = json(500, { error: "the service failed" });
  }
  request.resume();
  response.writeHead(reply.status, {
    "content-type": reply.type ?? "application/json",
    "content-length": Buffer.byteLength(reply.body),
    ...reply.headers,
  });
  response.end(request.method === "HEAD" ? undefined : reply.body);
}

/**
 * @param {number} status
 * @param {unknown} value
 * @returns {Reply}
 */
export function json(status, value) {
  return { status, body: JSON.stringify(value) };
}

/** @param {URL} url */
export function notFound(url) {
  return json(404, { error: `there is nothing at ${url.pathname}` });
}

/**
 * The number in `<collection>/<id><rest>`; undefined for other paths.
 *
 * @param {URL} url
 * @param {string} collection
 * @param {string} rest
 * @returns {number | "invalid" | undefined}
 */
export function idAfter(url, collection, rest = "") {
  const prefix = `${collection}/`;
  const { pathname } = url;
  if (!pathname.startsWith(prefix) || !pathname.endsWith(rest)) return undefined;
  const id = pathname.slice(prefix.length, pathname.length - rest.length);
  if (id.includes("/")) return undefined;
  return /^[0-9]{1,9}$/.test(id) ? Number(id) : "invalid";
}

/**
 * The body as text; a larger one than a form or a rating needs is an error.
 *
 * @param {Request} request
 */
export async function bodyOf(request) {
  const chunks = [];
  let length = 0;
  for await (const chunk of request) {
    length += chunk.length;
    if (length > MAX_BODY_BYTES) throw new Error("the request's body is too large");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}
