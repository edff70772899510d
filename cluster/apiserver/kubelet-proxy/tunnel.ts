/**
 * exec and attach: the upgraded connection goes byte for byte to the kubelet, which speaks the same
 * WebSocket protocols as kubectl. This server only decides who may, and whereto. What kubectl falls
 * back to (SPDY) goes there too: the kubelet first says what is wrong with the container, if
 * anything, and that is the error which kubectl shows.
 */

import type { IncomingHttpHeaders } from "node:http";
import type { Duplex } from "node:stream";
import { connect, type SecureContextOptions, type TLSSocket } from "node:tls";
import type { Pod } from "#cluster/api/generated/core-v1.ts";
import { PODS } from "#cluster/api/resources.ts";
import { statusError } from "#cluster/api/status-error.ts";
import type { RegistryContext } from "#cluster/apiserver/registry/context.ts";
import { notFound } from "#cluster/apiserver/registry/errors.ts";
import { findObject } from "#cluster/apiserver/registry/read.ts";
import { isTrue, type ResourceInfo } from "#cluster/apiserver/server/request.ts";
import { containerOf, kubeletOf, type KubeletAddress } from "./kubelet-address.ts";

const CONNECT_TIMEOUT_MS = 10_000;
/** What makes the upgrade; nothing else of the client's headers concerns the kubelet. */
const PASSED_HEADERS = [
  "connection",
  "upgrade",
  "sec-websocket-key",
  "sec-websocket-version",
  "sec-websocket-protocol",
  "sec-websocket-extensions",
  "x-stream-protocol-version",
];

export interface UpgradeRequest {
  info: ResourceInfo;
  query: URLSearchParams;
  headers: IncomingHttpHeaders;
  socket: Duplex;
  /** What the client sent right behind its request. */
  head: Uint8Array;
  signal: AbortSignal;
}

export type Tunnel = (request: UpgradeRequest) => Promise<void>;

/** The tunnel rejects with a StatusError as long as nothing has been sent to the client. */
export function createTunnel(context: RegistryContext, tls: SecureContextOptions): Tunnel {
  return async (request) => {
    const { namespace, name } = request.info;
    const pod = findObject(context, PODS, { namespace, name });
    if (pod === undefined) throw notFound({ ...PODS, kind: "Pod" }, name);
    const path = kubeletPath(request, pod);
    const kubelet = kubeletOf(context, pod);
    const upstream = await dial(kubelet, tls, request.signal);
    upstream.write(requestHead(kubelet, path, request.headers));
    if (request.head.length > 0) upstream.write(request.head);
    join(request.socket, upstream, request.signal);
  };
}

function kubeletPath({ info, query }: UpgradeRequest, pod: Readonly<Pod>): string {
  const place = [info.namespace, info.name].map(encodeURIComponent).join("/");
  switch (info.subresource) {
    case "portforward": {
      const { podIP: address = "its address" } = pod.status ?? {};
      throw statusError(
        "BadRequest",
        `port-forward is not offered: this host reaches pod ${info.name} directly, at ${address}`,
      );
    }
    case "exec":
    case "attach": {
      const container = encodeURIComponent(containerOf(pod, query.get("container") ?? ""));
      return `/${info.subresource}/${place}/${container}?${streamQuery(query)}`;
    }
    default:
      throw statusError("BadRequest", `pods/${info.subresource} can't be upgraded`);
  }
}

/** The kubelet's names for PodExecOptions. */
function streamQuery(query: URLSearchParams): string {
  const result = new URLSearchParams();
  for (const command of query.getAll("command")) result.append("command", command);
  const streams = { stdin: "input", stdout: "output", stderr: "error", tty: "tty" };
  for (const [ours, theirs] of Object.entries(streams)) {
    if (isTrue(query.get(ours))) result.set(theirs, "1");
  }
  return result.toString();
}

function dial(
  { host, port, nodeName }: KubeletAddress,
  tls: SecureContextOptions,
  signal: AbortSignal,
): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ ...tls, host, port, ALPNProtocols: ["http/1.1"] });
    const fail = (why: string): void => {
      socket.destroy();
      const at = `kubelet of node ${nodeName} (${host}:${port})`;
      reject(statusError("ServiceUnavailable", `${at}: ${why}`));
    };
    const onError = (error: Error): void => fail(error.message);
    const onAbort = (): void => fail("the client went away");
    socket.once("error", onError);
    signal.addEventListener("abort", onAbort, { once: true });
    socket.setTimeout(CONNECT_TIMEOUT_MS, () => fail("timed out"));
    socket.once("secureConnect", () => {
      socket.off("error", onError);
      signal.removeEventListener("abort", onAbort);
      socket.setTimeout(0);
      socket.removeAllListeners("timeout");
      socket.setNoDelay(true);
      resolve(socket);
    });
  });
}

function requestHead(
  { host, port }: KubeletAddress,
  path: string,
  headers: IncomingHttpHeaders,
): string {
  const lines = [`GET ${path} HTTP/1.1`, `Host: ${host}:${port}`];
  for (const name of PASSED_HEADERS) {
    const value = headers[name];
    // Node has refused line breaks in header values already.
    if (value !== undefined) lines.push(`${name}: ${String(value)}`);
  }
  return `${lines.join("\r\n")}\r\n\r\n`;
}

/** `pipe` gives each side's back-pressure to the other; the end of one ends the other. */
function join(client: Duplex, upstream: TLSSocket, signal: AbortSignal): void {
  const end = (): void => {
    client.destroy();
    upstream.destroy();
    signal.removeEventListener("abort", end);
  };
  for (const stream of [client, upstream]) {
    stream.on("error", end);
    stream.on("close", end);
  }
  signal.addEventListener("abort", end);
  client.pipe(upstream);
  upstream.pipe(client);
}
