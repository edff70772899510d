/** KubeClient over HTTPS. */

import { readFile } from "node:fs/promises";
import type { AnyObject, Creatable, ObjectList, WatchEvent } from "#cluster/api/meta.ts";
import { apiVersionOf, resourcePath } from "#cluster/api/resources.ts";
import type { Resource } from "#cluster/api/resources.ts";
import { REASON_CODES, StatusError } from "#cluster/api/status-error.ts";
import type { Status } from "#cluster/api/status-error.ts";
import type {
  DeleteOptions,
  KubeClient,
  ListOptions,
  ObjectRef,
  PatchType,
  RawResponse,
  WatchOptions,
  WriteOptions,
} from "./client.ts";
import { ConnectionPool } from "./connection-pool.ts";
import { RefusedRequestError } from "./connection.ts";
import type { HttpResponse } from "./connection.ts";
import { ExecCredential } from "./exec-credential.ts";
import { readLines } from "./json-lines.ts";
import type { ClientConfig } from "./kubeconfig.ts";

const REQUEST_TIMEOUT_MS = 30_000;
const MAX_BODY_BYTES = 512 * 1024 * 1024;
const MAX_WATCH_LINE_BYTES = 16 * 1024 * 1024;
const TOKEN_LIFETIME_MS = 60_000;
/** The server ends a watch after this long; spread, so that they don't all resume at once. */
const WATCH_SECONDS = { least: 300, spread: 300 };

interface Call {
  method: string;
  path: string;
  query?: Record<string, string | number | boolean | undefined>;
  body?: unknown;
  contentType?: string;
  signal?: AbortSignal;
}

/** A client for one API server. It connects at the first request and reconnects as needed. */
export function createClient(config: ClientConfig): KubeClient {
  return new HttpClient(config);
}

class HttpClient implements KubeClient {
  readonly #config: ClientConfig;
  readonly #prefix: string;
  readonly #pool: ConnectionPool;
  readonly #closing = new AbortController();
  #credential: ExecCredential | undefined;
  #token: { text: string; readAtMs: number } | undefined;

  constructor(config: ClientConfig) {
    this.#config = config;
    this.#prefix = new URL(config.server).pathname.replace(/\/+$/, "");
    this.#pool = new ConnectionPool(config);
  }

  get<T extends AnyObject>(resource: Resource<T>, ref: ObjectRef): Promise<T> {
    return this.#json<T>({ method: "GET", path: resourcePath(resource, ref) });
  }

  async list<T extends AnyObject>(
    resource: Resource<T>,
    options: ListOptions = {},
  ): Promise<ObjectList<T>> {
    const { namespace, signal, ...query } = options;
    const path = resourcePath(resource, { namespace });
    const list = await this.#json<ObjectList<T>>({ method: "GET", path, query, signal });
    // Kubernetes leaves these out of the items of a list.
    for (const item of (list.items ??= [])) {
      item.kind ??= resource.kind;
      item.apiVersion ??= apiVersionOf(resource);
    }
    return list;
  }

  async *watch<T extends AnyObject>(
    resource: Resource<T>,
    options: WatchOptions,
  ): AsyncGenerator<WatchEvent<T>, void, undefined> {
    const { namespace, signal, ...query } = options;
    const timeoutSeconds =
      WATCH_SECONDS.least + Math.floor(Math.random() * (WATCH_SECONDS.spread + 1));
    const path = resourcePath(resource, { namespace });
    const call: Call = {
      method: "GET",
      path,
      query: { ...query, watch: true, allowWatchBookmarks: true, timeoutSeconds },
    };
    const linked = linkSignals([signal, this.#closing.signal]);
    try {
      const response = await this.#open(call, linked.signal);
      if (response.code !== 200) throw failure(response.code, await readBody(response));
      for await (const line of readLines(response.body, MAX_WATCH_LINE_BYTES)) {
        yield JSON.parse(line) as WatchEvent<T>;
      }
    } catch (error) {
      if (linked.signal.aborted) return;
      if (error instanceof StatusError) throw error;
      throw new Error(`watch ${path}: ${messageOf(error)}`, { cause: error });
    } finally {
      linked.release();
    }
  }

  create<T extends AnyObject>(
    resource: Resource<T>,
    object: Creatable<T>,
    options: WriteOptions = {},
  ): Promise<T> {
    const path = resourcePath(resource, { namespace: object.metadata.namespace });
    return this.#write<T>({ method: "POST", path, body: typed(resource, object) }, options);
  }

  update<T extends AnyObject>(
    resource: Resource<T>,
    object: T,
    options: WriteOptions = {},
  ): Promise<T> {
    const { namespace, name } = object.metadata;
    const path = resourcePath(resource, { namespace, name, subresource: options.subresource });
    return this.#write<T>({ method: "PUT", path, body: typed(resource, object) }, options);
  }

  updateStatus<T extends AnyObject>(
    resource: Resource<T>,
    object: T,
    options: WriteOptions = {},
  ): Promise<T> {
    return this.update(resource, object, { ...options, subresource: "status" });
  }

  patch<T extends AnyObject>(
    resource: Resource<T>,
    ref: ObjectRef,
    patch: { type: PatchType; body: unknown; subresource?: string },
    options: WriteOptions = {},
  ): Promise<T> {
    const path = resourcePath(resource, { ...ref, subresource: patch.subresource });
    const contentType = `application/${patch.type}-patch+json`;
    return this.#write<T>({ method: "PATCH", path, body: patch.body, contentType }, options);
  }

  async delete(
    resource: Resource<AnyObject>,
    ref: ObjectRef,
    options: DeleteOptions = {},
  ): Promise<void> {
    const { signal, ...body } = options;
    const path = resourcePath(resource, ref);
    const document = { kind: "DeleteOptions", apiVersion: "v1", ...body };
    await this.#json({ method: "DELETE", path, body: document, signal });
  }

  createSubresource<R>(
    resource: Resource<AnyObject>,
    at: { ref: ObjectRef; subresource: string },
    body: unknown,
  ): Promise<R> {
    const path = resourcePath(resource, { ...at.ref, subresource: at.subresource });
    return this.#json<R>({ method: "POST", path, body });
  }

  async raw(path: string, signal?: AbortSignal): Promise<RawResponse> {
    return this.#send({ method: "GET", path, signal });
  }

  close(): void {
    this.#closing.abort();
    this.#pool.close();
  }

  #write<T>(call: Call, options: WriteOptions): Promise<T> {
    const query = {
      fieldManager: options.fieldManager,
      dryRun: options.dryRun === true ? "All" : undefined,
    };
    return this.#json<T>({ ...call, query, signal: options.signal });
  }

  async #json<R>(call: Call): Promise<R> {
    const { code, body } = await this.#send(call);
    if (code === 401) this.#credential?.forget();
    if (code < 200 || code > 299) throw failure(code, body);
    return JSON.parse(body) as R;
  }

  async #send(call: Call): Promise<RawResponse> {
    const linked = linkSignals([call.signal, this.#closing.signal], REQUEST_TIMEOUT_MS);
    try {
      return await this.#exchange(call, linked.signal);
    } catch (error) {
      call.signal?.throwIfAborted();
      throw new Error(`${call.method} ${this.#config.server}${call.path}: ${messageOf(error)}`, {
        cause: error,
      });
    } finally {
      linked.release();
    }
  }

  /** Tried once more when nothing can happen twice: a GET, or a request that was refused unseen. */
  async #exchange(call: Call, signal: AbortSignal): Promise<RawResponse> {
    const attempt = async (): Promise<RawResponse> => {
      const response = await this.#open(call, signal);
      return { code: response.code, body: await readBody(response) };
    };
    try {
      return await attempt();
    } catch (error) {
      const isSafe = call.method === "GET" || error instanceof RefusedRequestError;
      if (!isSafe || signal.aborted) throw error;
      return attempt();
    }
  }

  async #open(call: Call, signal: AbortSignal): Promise<HttpResponse> {
    const headers: Record<string, string> = {
      accept: "application/json",
      "user-agent": "lateen",
    };
    const token = await this.#bearer();
    if (token !== undefined) headers.authorization = `Bearer ${token}`;
    let body: string | undefined;
    if (call.body !== undefined) {
      body = JSON.stringify(call.body);
      headers["content-type"] = call.contentType ?? "application/json";
    }
    const path = `${this.#prefix}${call.path}${queryString(call.query)}`;
    const connection = await this.#pool.acquire();
    signal.throwIfAborted();
    return connection.request({ method: call.method, path, headers, body, signal });
  }

  async #bearer(): Promise<string | undefined> {
    const { token, tokenFile, exec } = this.#config;
    if (exec !== undefined) {
      this.#credential ??= new ExecCredential(exec);
      return this.#credential.token(this.#closing.signal);
    }
    if (tokenFile === undefined) return token;
    const nowMs = Date.now();
    if (this.#token === undefined || nowMs - this.#token.readAtMs > TOKEN_LIFETIME_MS) {
      this.#token = { text: (await readFile(tokenFile, "utf8")).trim(), readAtMs: nowMs };
    }
    return this.#token.text;
  }
}

function typed<T extends AnyObject>(resource: Resource<T>, object: T | Creatable<T>): unknown {
  return { ...object, apiVersion: apiVersionOf(resource), kind: resource.kind };
}

function queryString(query: Call["query"]): string {
  const pairs = Object.entries(query ?? {}).filter(
    (pair): pair is [string, string | number | boolean] => pair[1] !== undefined,
  );
  if (pairs.length === 0) return "";
  return `?${new URLSearchParams(pairs.map(([key, value]) => [key, String(value)])).toString()}`;
}

async function readBody(response: HttpResponse): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response.body) {
    bytes += chunk.length;
    if (bytes > MAX_BODY_BYTES) throw new Error(`answer longer than ${MAX_BODY_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

/** The Status in a failure's body, or one made from the HTTP code when there is none (proxies). */
function failure(code: number, body: string): StatusError {
  try {
    const parsed = JSON.parse(body) as Partial<Status>;
    if (parsed.kind === "Status") return new StatusError({ ...(parsed as Status), code });
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  const reason = Object.entries(REASON_CODES).find(([, candidate]) => candidate === code)?.[0];
  return new StatusError({
    kind: "Status",
    apiVersion: "v1",
    metadata: {},
    status: "Failure",
    message: body.trim().slice(0, 1_000) || `HTTP ${code}`,
    reason: reason ?? "InternalError",
    code,
  });
}

/** One signal for several, with an optional timeout; released, it leaves no listener behind. */
function linkSignals(
  signals: readonly (AbortSignal | undefined)[],
  timeoutMs?: number,
): { signal: AbortSignal; release(): void } {
  const controller = new AbortController();
  const present = signals.filter((signal) => signal !== undefined);
  const abort = (): void => controller.abort(present.find((signal) => signal.aborted)?.reason);
  for (const signal of present) signal.addEventListener("abort", abort, { once: true });
  if (present.some((signal) => signal.aborted)) abort();
  const timer =
    timeoutMs === undefined
      ? undefined
      : setTimeout(
          () => controller.abort(new Error(`no answer within ${timeoutMs} ms`)),
          timeoutMs,
        ).unref();
  return {
    signal: controller.signal,
    release() {
      clearTimeout(timer);
      for (const signal of present) signal.removeEventListener("abort", abort);
    },
  };
}

function messageOf(error: unknown): string {
  if (!Error.isError(error)) return String(error);
  return error.name === "AbortError" && Error.isError(error.cause)
    ? error.cause.message
    : error.message;
}
