// @ts-check
/**
 * Makes the calls of a JSON list on stdin, one after the other, from inside a pod, and prints their
 * answers as JSON. A call is `{url, method?, headers?}`, `{tcp: "host:port", send}` (answers what comes
 * back within half a second) or `{upgrade: url}` (sends `ping` through a WebSocket's connection).
 */

import { request } from "node:http";
import { connect } from "node:net";
import { text } from "node:stream/consumers";

const BOUND_MS = 5_000;

/** @param {{url: string, method?: string, headers?: Record<string, string>}} call */
const http = ({ url, method = "GET", headers = {} }) =>
  new Promise((resolve) => {
    const fail = (/** @type {Error} */ error) => resolve({ status: 0, error: error.message });
    const asked = request(url, { method, headers, timeout: BOUND_MS, agent: false }, (response) => {
      text(response).then(
        (body) => resolve({ status: response.statusCode, headers: response.headers, body }),
        fail,
      );
    });
    asked.on("timeout", () => asked.destroy(new Error("no answer in time")));
    asked.on("error", fail);
    asked.end();
  });

/** @param {{tcp: string, send: string}} call */
const tcp = ({ tcp: address, send }) =>
  new Promise((resolve) => {
    const [host, port] = address.split(":");
    const socket = connect(Number(port), host);
    let body = "";
    socket.on("connect", () => socket.write(send));
    socket.on("data", (bytes) => (body += bytes));
    socket.on("error", (error) => resolve({ error: error.message }));
    setTimeout(() => {
      socket.destroy();
      resolve({ body });
    }, 500);
  });

/** @param {{upgrade: string}} call */
const upgrade = ({ upgrade: url }) =>
  new Promise((resolve) => {
    const headers = { connection: "Upgrade", upgrade: "websocket" };
    const asked = request(url, { headers, timeout: BOUND_MS });
    asked.on("upgrade", (response, socket) => {
      socket.on("data", (bytes) => {
        resolve({ status: response.statusCode, body: String(bytes) });
        socket.destroy();
      });
      socket.write("ping");
    });
    asked.on("response", ({ statusCode }) => resolve({ status: statusCode, body: "" }));
    asked.on("error", (error) => resolve({ error: error.message }));
    asked.end();
  });

const answers = [];
for (const call of JSON.parse(await text(process.stdin))) {
  answers.push(await (call.tcp ? tcp(call) : call.upgrade ? upgrade(call) : http(call)));
}
console.log(JSON.stringify(answers));
process.exit(0);
