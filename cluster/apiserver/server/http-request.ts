/** An HTTP request of either version, as handlers see it. */

import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import type { Http2ServerRequest } from "node:http2";
import type { TLSSocket } from "node:tls";
import { statusError } from "#cluster/api/status-error.ts";
import { certificateUser } from "#cluster/apiserver/auth/authenticate.ts";
import type { User } from "#cluster/apiserver/auth/user.ts";
import type { HttpResponse } from "./output.ts";
import { parseRequestInfo, type ApiRequest, type RequestInfo } from "./request.ts";

export type HttpRequest = IncomingMessage | Http2ServerRequest;

/** As Kubernetes limits them, so that no object outgrows etcd's default. */
const MAX_BODY_BYTES = 3 * 1024 * 1024;

export interface ParsedTarget {
  method: string;
  path: string;
  query: URLSearchParams;
  info: RequestInfo;
}

/** Throws BadRequest for a path that can't be decoded. */
export function parseTarget(request: HttpRequest): ParsedTarget {
  const url = request.url ?? "/";
  const question = url.indexOf("?");
  const path = question < 0 ? url : url.slice(0, question);
  const query = new URLSearchParams(question < 0 ? "" : url.slice(question + 1));
  const method = request.method ?? "GET";
  const info = parseRequestInfo(method, path, query);
  if (info === undefined) throw statusError("BadRequest", `the path can't be read: ${path}`);
  return { method, path, query, info };
}

/** The user of the connection's client certificate, if it has one of our CA. */
export function connectionUser(request: HttpRequest): User | undefined {
  const session = "stream" in request ? request.stream.session : undefined;
  if (session !== undefined) return certificateUser(session, session.socket as TLSSocket);
  const { socket } = request as IncomingMessage;
  return certificateUser(socket, socket as TLSSocket);
}

/** A request from after authentication until its answer is sent. */
export class OpenRequest implements ApiRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  readonly info: RequestInfo;
  readonly user: User;
  readonly warnings: string[] = [];
  readonly #request: HttpRequest;
  readonly #response: HttpResponse;
  readonly #stopping: AbortSignal;
  #aborter: AbortController | undefined;
  #body: Promise<Uint8Array> | undefined;

  constructor(
    http: { request: HttpRequest; response: HttpResponse; stopping: AbortSignal },
    target: ParsedTarget,
    user: User,
  ) {
    this.#request = http.request;
    this.#response = http.response;
    this.#stopping = http.stopping;
    this.method = target.method;
    this.path = target.path;
    this.query = target.query;
    this.info = target.info;
    this.headers = http.request.headers;
    this.user = user;
  }

  /** Made on demand: most requests are over before anybody could want to cancel them. */
  get signal(): AbortSignal {
    if (this.#aborter === undefined) {
      const aborter = new AbortController();
      const abort = (): void => aborter.abort();
      const stopping = this.#stopping;
      stopping.addEventListener("abort", abort);
      this.#response.once("close", () => {
        stopping.removeEventListener("abort", abort);
        abort();
      });
      if (stopping.aborted || this.#response.destroyed) abort();
      this.#aborter = aborter;
    }
    return this.#aborter.signal;
  }

  readBody(): Promise<Uint8Array> {
    this.#body ??= readAll(this.#request);
    return this.#body;
  }
}

function readAll(request: HttpRequest): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    request.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes <= MAX_BODY_BYTES) {
        chunks.push(chunk);
        return;
      }
      chunks.length = 0;
      reject(
        statusError(
          "RequestEntityTooLarge",
          `Request entity too large: limit is ${MAX_BODY_BYTES} bytes`,
        ),
      );
    });
    request.on("error", reject);
    request.on("aborted", () => reject(statusError("BadRequest", "the body broke off")));
    request.on("end", () => resolve(Buffer.concat(chunks)));
  });
}
