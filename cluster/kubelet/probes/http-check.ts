/** HTTP requests of probes and hooks, and TCP connects. */

import { type IncomingMessage, request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";
import { connect } from "node:net";
import type { Container, HTTPGetAction } from "#cluster/api/generated/core-v1.ts";

/** `warning` is a redirect to another host, which counts as success. */
export type CheckResult = { ok: true; output: string } | { ok: false; output: string };

const MAX_BODY_BYTES = 10 * 1024;
const MAX_REDIRECTS = 10;
const USER_AGENT = "kube-probe/1.36";

/** A port number or the name of one of the container's ports. */
export function resolvePort(container: Container, port: number | string): number | undefined {
  if (typeof port === "number") return port;
  const named = container.ports?.find(({ name }) => name === port)?.containerPort;
  return named ?? (/^\d{1,5}$/.test(port) ? Number(port) : undefined);
}

/** GET without reuse of connections; 200 … 399 is success, certificates aren't verified. */
export async function checkHttp(
  action: HTTPGetAction,
  container: Container,
  at: { podIp: string; timeoutMs: number; userAgent?: string },
): Promise<CheckResult> {
  const port = resolvePort(container, action.port);
  if (port === undefined) return { ok: false, output: `port ${action.port} is not known` };
  const scheme = (action.scheme ?? "HTTP").toLowerCase() === "https" ? "https" : "http";
  const host = action.host === undefined || action.host === "" ? at.podIp : action.host;
  const path = action.path ?? "/";
  let url: URL;
  try {
    url = new URL(
      path.startsWith("/") ? path : `/${path}`,
      `${scheme}://${bracketed(host)}:${port}`,
    );
  } catch (error) {
    return { ok: false, output: (error as Error).message };
  }
  const headers: Record<string, string> = {
    "User-Agent": at.userAgent ?? USER_AGENT,
    Accept: "*/*",
    Connection: "close",
  };
  for (const { name, value } of action.httpHeaders ?? []) headers[name] = value;
  return followRedirects(url, headers, AbortSignal.timeout(at.timeoutMs));
}

async function followRedirects(
  start: URL,
  headers: Record<string, string>,
  signal: AbortSignal,
): Promise<CheckResult> {
  let url = start;
  for (let hop = 0; hop <= MAX_REDIRECTS; hop++) {
    const answer = await get(url, headers, signal);
    if ("error" in answer) {
      return { ok: false, output: `Get "${start.href}": ${answer.error}` };
    }
    const { code, location, body } = answer;
    const next =
      code >= 300 && code < 400 && location !== undefined ? new URL(location, url) : null;
    if (next === null || next.hostname !== start.hostname) {
      return code >= 200 && code < 400
        ? { ok: true, output: body }
        : { ok: false, output: `HTTP probe failed with statuscode: ${code}` };
    }
    url = next;
  }
  return { ok: false, output: `Get "${start.href}": stopped after ${MAX_REDIRECTS} redirects` };
}

type Answer = { code: number; location: string | undefined; body: string } | { error: string };

function get(url: URL, headers: Record<string, string>, signal: AbortSignal): Promise<Answer> {
  return new Promise((resolve) => {
    const options = { method: "GET", headers, agent: false as const, signal };
    const done = (response: IncomingMessage): void => {
      const { statusCode = 0 } = response;
      let body = "";
      response.on("data", (chunk: Buffer) => {
        if (body.length < MAX_BODY_BYTES) body += chunk.toString("utf8");
        else response.destroy();
      });
      // A status is an answer even when the body breaks off.
      response.on("error", () => undefined);
      response.on("close", () =>
        resolve({ code: statusCode, location: response.headers.location, body }),
      );
    };
    const request =
      url.protocol === "https:"
        ? httpsRequest(url, { ...options, rejectUnauthorized: false }, done)
        : httpRequest(url, options, done);
    request.on("error", (error) =>
      resolve({
        error: signal.aborted
          ? "context deadline exceeded (Client.Timeout exceeded while awaiting headers)"
          : dialError(url.host, error),
      }),
    );
    request.end();
  });
}

/** Connects and closes. */
export function checkTcp(host: string, port: number, timeoutMs: number): Promise<CheckResult> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: timeoutMs });
    const finish = (result: CheckResult): void => {
      socket.destroy();
      resolve(result);
    };
    socket.on("connect", () => finish({ ok: true, output: "" }));
    socket.on("timeout", () =>
      finish({ ok: false, output: `dial tcp ${host}:${port}: i/o timeout` }),
    );
    socket.on("error", (error) =>
      finish({ ok: false, output: dialError(`${host}:${port}`, error) }),
    );
  });
}

function dialError(where: string, error: NodeJS.ErrnoException): string {
  if (error.code === "ECONNREFUSED") return `dial tcp ${where}: connect: connection refused`;
  return `dial tcp ${where}: ${error.message}`;
}

function bracketed(host: string): string {
  return host.includes(":") && !host.startsWith("[") ? `[${host}]` : host;
}
