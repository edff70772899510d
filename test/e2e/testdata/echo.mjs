// @ts-check
/**
 * Answers with what arrived, as JSON; the tests' application. Paths: `/status/CODE`, `/delay/MS`,
 * `/every-other/KEY` (503 for the first, third, … request of a key). Upgrades to WebSocket-like
 * echoing; `TCP_PORT` echoes bytes, and greets first when `TCP_GREETING` is set.
 */

import { createServer } from "node:http";
import { createServer as createTcpServer } from "node:net";
import { hostname } from "node:os";

const { PORT = "8080", TCP_PORT, TCP_GREETING = "", VERSION = "" } = process.env;
/** @type {Map<string, number>} */
const asked = new Map();
let served = 0;
let terminating = false;

const server = createServer((request, response) => {
  const [, action = "", argument = ""] = (request.url ?? "").split(/[/?]/);
  served += 1;
  let status = 200;
  let delayMs = 0;
  if (action === "status") status = Number(argument);
  if (action === "delay") delayMs = Number(argument);
  if (action === "every-other") {
    const count = (asked.get(argument) ?? 0) + 1;
    asked.set(argument, count);
    status = count % 2 === 1 ? 503 : 200;
  }
  const { method, url, headers } = request;
  const peer = request.socket.remoteAddress;
  const seen = { pod: hostname(), version: VERSION, served, peer, method, url, headers };
  setTimeout(() => {
    if (terminating) response.setHeader("connection", "close");
    response.writeHead(status, { "content-type": "application/json", "x-version": VERSION });
    response.end(`${JSON.stringify(seen)}\n`);
  }, delayMs);
});
server.keepAliveTimeout = 0;
server.on("upgrade", (request, socket) => {
  socket.write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n");
  socket.write(`Upgrade: ${request.headers.upgrade}\r\n\r\n`);
  socket.on("error", () => socket.destroy());
  socket.pipe(socket);
});
server.listen(Number(PORT));

if (TCP_PORT !== undefined) {
  createTcpServer((socket) => {
    if (TCP_GREETING !== "") socket.write(`${TCP_GREETING}\n`);
    socket.on("error", () => socket.destroy());
    socket.pipe(socket);
  }).listen(Number(TCP_PORT));
}
// As a good citizen it serves on until the whole cluster knows that it goes.
process.on("SIGTERM", () => {
  terminating = true;
  setTimeout(() => process.exit(0), 1500);
});
