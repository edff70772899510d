/** The gRPC health protocol (grpc.health.v1.Health/Check), spoken by hand: two tiny messages. */

import { connect } from "node:http2";
import type { CheckResult } from "./http-check.ts";

const SERVING = 1;
const MAX_ANSWER_BYTES = 4096;

/** Asks for the health of a service (empty: of the whole server) in plain text. */
export function checkGrpc(
  host: string,
  port: number,
  service: string,
  timeoutMs: number,
): Promise<CheckResult> {
  return new Promise((resolve) => {
    const session = connect(`http://${host}:${port}`);
    const finish = (result: CheckResult): void => {
      clearTimeout(timer);
      session.destroy();
      resolve(result);
    };
    const fail = (why: string): void => finish({ ok: false, output: why });
    const timer = setTimeout(
      () => fail(`timeout: failed to connect service "${host}:${port}" within ${timeoutMs} ms`),
      timeoutMs,
    );
    session.on("error", (error) => fail(`failed to connect service: ${error.message}`));
    const stream = session.request({
      ":method": "POST",
      ":path": "/grpc.health.v1.Health/Check",
      "content-type": "application/grpc",
      te: "trailers",
      "user-agent": "kube-probe/1.36",
    });
    const chunks: Buffer[] = [];
    let bytes = 0;
    let status = "";
    stream.on("response", (headers) => (status = String(headers["grpc-status"] ?? "")));
    stream.on("trailers", (trailers) => (status = String(trailers["grpc-status"] ?? status)));
    stream.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes <= MAX_ANSWER_BYTES) chunks.push(chunk);
    });
    stream.on("error", (error) => fail(`health rpc failed: ${error.message}`));
    stream.on("end", () => {
      if (status !== "0") return fail(`health rpc failed with grpc-status ${status || "unknown"}`);
      const serving = servingStatus(Buffer.concat(chunks));
      if (serving === SERVING) return finish({ ok: true, output: "service healthy" });
      return fail(`service unhealthy (responded with ${serving})`);
    });
    stream.end(frame(encodeRequest(service)));
  });
}

/** HealthCheckRequest { string service = 1; } */
function encodeRequest(service: string): Buffer {
  const name = Buffer.from(service).subarray(0, 127);
  return name.length === 0 ? name : Buffer.concat([Buffer.from([0x0a, name.length]), name]);
}

/** A gRPC message: not compressed, its length, its bytes. */
function frame(message: Buffer): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

/** HealthCheckResponse { ServingStatus status = 1; }; 0 (unknown) when it is empty. */
function servingStatus(answer: Buffer): number {
  const message = answer.subarray(5);
  return message[0] === 0x08 ? (message[1] ?? 0) : 0;
}
