// @ts-check
/**
 * What probes ask: HTTP on 8080 (`/health`, `/metrics`), bytes on 9000, gRPC health on 9001. The file
 * `/tmp/broken` turns all of them bad. With `CALL` it begins with one request, and with `QUIT` it
 * ends after that, telling the proxy to end too.
 */

import { existsSync } from "node:fs";
import { createServer } from "node:http";
import { createServer as createHttp2Server } from "node:http2";
import { createServer as createTcpServer } from "node:net";

const { CALL, QUIT } = process.env;
const broken = () => existsSync("/tmp/broken");

if (CALL !== undefined) {
  const status = await fetch(CALL).then(
    (answer) => String(answer.status),
    (error) => String(error.cause?.code ?? error),
  );
  console.log(`first call ${status}`);
}
if (QUIT !== undefined) {
  if (QUIT !== "") await fetch(QUIT, { method: "POST" });
  process.exit(0);
}

createServer((request, response) => {
  if (request.url === "/metrics") return response.end("app_metric 42\n");
  if (request.url === "/moved") return response.writeHead(302, { location: "/health" }).end();
  return response.writeHead(broken() ? 500 : 200).end();
}).listen(8080);

const tcp = createTcpServer((socket) => socket.end()).listen(9000);
const watch = setInterval(() => {
  if (!broken()) return;
  clearInterval(watch);
  tcp.close();
}, 50);

// HealthCheckResponse: field 1 is 1 for SERVING, 2 for NOT_SERVING.
createHttp2Server()
  .on("stream", (stream) => {
    stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
    stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
    stream.end(Buffer.from([0, 0, 0, 0, 2, 8, broken() ? 2 : 1]));
  })
  .listen(9001);
