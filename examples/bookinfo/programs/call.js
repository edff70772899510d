/** Calls from one service of the demo to the next, over connections that are kept. */

// Importing node:http would load all of fetch with it: 30 ms and 20 MB of every start.
const { Agent, request: httpRequest } = process.getBuiltinModule("node:http");

const AGENT = new Agent({ keepAlive: true, maxFreeSockets: 64 });

/** What a trace or a route may depend on goes along with each call. */
const FORWARDED = [
  "x-request-id",
  "x-b3-traceid",
  "x-b3-spanid",
  "x-b3-parentspanid",
  "x-b3-sampled",
  "x-b3-flags",
  "b3",
  "traceparent",
  "tracestate",
  "x-ot-span-context",
  "x-datadog-trace-id",
  "x-datadog-parent-id",
  "x-datadog-sampling-priority",
  "x-cloud-trace-context",
  "grpc-trace-bin",
  "sw8",
  "user-agent",
  "end-user",
  "cookie",
  "authorization",
  "jwt",
];

/**
 * `status` is 0 when there was no answer in time; `body` is parsed JSON, if it was JSON.
 *
 * @typedef {{ status: number; body: unknown }} Answer
 */

/** @typedef {{ host: string; port: number }} Address */

/**
 * @param {import("node:http").IncomingMessage} request
 * @returns {Record<string, string>}
 */
export function forwardedHeaders(request) {
  /** @type {Record<string, string>} */
  const headers = {};
  for (const name of FORWARDED) {
    const value = request.headers[name];
    if (typeof value === "string") headers[name] = value;
  }
  return headers;
}

/**
 * `host[:port]` of another service: `<NAME>_HOSTNAME`, `<NAME>_SERVICE_PORT` and `SERVICES_DOMAIN`
 * as in Istio's Bookinfo.
 *
 * @param {string} name
 * @returns {Address}
 */
export function addressOf(name) {
  const { env } = process;
  const upper = name.toUpperCase();
  const domain = env.SERVICES_DOMAIN === undefined ? "" : `.${env.SERVICES_DOMAIN}`;
  const port = Number(env[`${upper}_SERVICE_PORT`] ?? "9080");
  return { host: `${env[`${upper}_HOSTNAME`] ?? name}${domain}`, port };
}

/**
 * GETs JSON; never rejects.
 *
 * @param {Address} service
 * @param {string} path
 * @param {Record<string, string>} headers
 * @param {number} timeoutMs
 * @returns {Promise<Answer>}
 */
export async function getJson(service, path, headers, timeoutMs) {
  const first = await attempt(service, path, headers, timeoutMs);
  // A kept connection that its server closed meanwhile tells nothing about the request.
  return first === "stale" ? asAnswer(await attempt(service, path, headers, timeoutMs)) : first;
}

/**
 * @param {Address} address
 * @param {string} path
 * @param {Record<string, string>} headers
 * @param {number} timeoutMs
 * @returns {Promise<Answer | "stale">}
 */
async function attempt({ host, port }, path, headers, timeoutMs) {
  return new Promise((resolve) => {
    const signal = AbortSignal.timeout(timeoutMs);
    const request = httpRequest({ agent: AGENT, host, port, path, headers, signal }, (response) => {
      /** @type {Buffer[]} */
      const chunks = [];
      response.on("data", (chunk) => chunks.push(chunk));
      response.on("error", () => resolve({ status: 0, body: undefined }));
      response.on("end", () => {
        const text = Buffer.concat(chunks).toString("utf8");
        resolve({ status: response.statusCode ?? 0, body: parse(text) });
      });
    });
    request.on("error", (error) => {
      const stale = request.reusedSocket && "code" in error && error.code === "ECONNRESET";
      resolve(stale ? "stale" : { status: 0, body: undefined });
    });
    request.end();
  });
}

/**
 * @param {Answer | "stale"} answer
 * @returns {Answer}
 */
function asAnswer(answer) {
  return answer === "stale" ? { status: 0, body: undefined } : answer;
}

/**
 * Undefined where the text is no JSON: an error page of a proxy, for example.
 *
 * @param {string} text
 * @returns {unknown}
 */
function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
