/** Pulls by the distribution API (OCI distribution-spec; Docker token authentication). */

import { Readable } from "node:stream";
import type { BlobSource } from "./blob-source.ts";
import { ImageError } from "./image.ts";
import { type Descriptor, INDEX_TYPES, MANIFEST_TYPES } from "./manifest.ts";
import { type ImageReference, formatReference } from "./reference.ts";
import { createHash } from "node:crypto";

export interface RegistryCredentials {
  username: string;
  password: string;
}

const ACCEPT = [...INDEX_TYPES, ...MANIFEST_TYPES].join(", ");
const REQUEST_TIMEOUT_MS = 30_000;
const MAX_DOCUMENT_BYTES = 8 * 1024 ** 2;
const LOOPBACK = /^(?:localhost|127\.\d{1,3}\.\d{1,3}\.\d{1,3}|\[::1\])(?::\d+)?$/;

/** One repository of one registry host, with the token that was granted for it. */
export class RegistryRepository implements BlobSource {
  readonly #base: string;
  readonly #host: string;
  readonly #path: string;
  readonly #credentials: RegistryCredentials | undefined;
  readonly #signal: AbortSignal;
  #authorization: string | undefined;

  constructor(options: {
    host: string;
    path: string;
    credentials?: RegistryCredentials;
    signal: AbortSignal;
  }) {
    this.#host = options.host === "docker.io" ? "registry-1.docker.io" : options.host;
    this.#path = options.path;
    const scheme = LOOPBACK.test(this.#host) ? "http" : "https";
    this.#base = `${scheme}://${this.#host}/v2/${options.path}`;
    this.#credentials = options.credentials;
    this.#signal = options.signal;
  }

  /** The descriptor that a tag or digest stands for now; ErrImagePull when there is none. */
  async resolve(reference: ImageReference): Promise<Descriptor> {
    const which = reference.digest ?? reference.tag ?? "latest";
    const shown = formatReference(reference);
    const response = await this.#get(`/manifests/${which}`, ACCEPT);
    if (response.status === 404) {
      throw new ImageError(
        "ErrImagePull",
        `failed to resolve reference "${shown}": ${shown}: not found on ${this.#host}`,
      );
    }
    const content = await this.#documentOf(response, shown);
    const digest = `sha256:${createHash("sha256").update(content).digest("hex")}`;
    if (reference.digest !== undefined && reference.digest !== digest) {
      throw new ImageError("ErrImagePull", `${shown}: the registry sent content of ${digest}`);
    }
    return {
      mediaType: response.headers.get("content-type") ?? "",
      digest,
      size: content.length,
      annotations: new Map(),
    };
  }

  async manifest(descriptor: Descriptor): Promise<Readable> {
    const response = await this.#get(`/manifests/${descriptor.digest}`, ACCEPT);
    return Readable.from([await this.#documentOf(response, descriptor.digest)]);
  }

  async blob(descriptor: Descriptor): Promise<Readable> {
    const response = await this.#get(`/blobs/${descriptor.digest}`, "*/*");
    if (!response.ok || response.body === null) throw this.#unexpected(response, descriptor.digest);
    return Readable.fromWeb(response.body);
  }

  async #documentOf(response: Response, shown: string): Promise<Buffer> {
    if (!response.ok || response.body === null) throw this.#unexpected(response, shown);
    const chunks: Uint8Array[] = [];
    let bytes = 0;
    for await (const chunk of response.body) {
      bytes += chunk.length;
      if (bytes > MAX_DOCUMENT_BYTES) throw new ImageError("ErrImagePull", `${shown}: too large`);
      chunks.push(chunk);
    }
    return Buffer.concat(chunks);
  }

  async #get(path: string, accept: string): Promise<Response> {
    const first = await this.#fetch(`${this.#base}${path}`, accept, this.#authorization);
    if (first.status !== 401) return first;
    await first.body?.cancel();
    this.#authorization = await this.#authorize(first.headers.get("www-authenticate") ?? "");
    const second = await this.#fetch(`${this.#base}${path}`, accept, this.#authorization);
    if (second.status === 401 || second.status === 403) {
      await second.body?.cancel();
      throw new ImageError(
        "ErrImagePull",
        `pull access denied for ${this.#host}/${this.#path}: ` +
          "the repository does not exist or needs credentials (imagePullSecrets)",
      );
    }
    return second;
  }

  async #fetch(url: string, accept: string, authorization?: string): Promise<Response> {
    const headers: Record<string, string> = { accept };
    if (authorization !== undefined) headers.authorization = authorization;
    const timeout = new AbortController();
    const timer = setTimeout(() => timeout.abort(new Error("timed out")), REQUEST_TIMEOUT_MS);
    try {
      // Redirects of blobs go to other hosts; fetch drops the authorization there.
      return await fetch(url, { headers, signal: AbortSignal.any([timeout.signal, this.#signal]) });
    } catch (error) {
      const cause = (error as Error).cause;
      const why = Error.isError(cause) ? cause.message : (error as Error).message;
      throw new ImageError("ErrImagePull", `failed to do request: GET ${url}: ${why}`, {
        cause: error,
      });
    } finally {
      clearTimeout(timer);
    }
  }

  /** Follows a challenge: Basic with the credentials, or Bearer with a token of the realm. */
  async #authorize(challenge: string): Promise<string> {
    const basic =
      this.#credentials === undefined
        ? undefined
        : `Basic ${Buffer.from(
            `${this.#credentials.username}:${this.#credentials.password}`,
          ).toString("base64")}`;
    const [scheme, parameters] = parseChallenge(challenge);
    if (scheme === "basic" && basic !== undefined) return basic;
    const realm = parameters.get("realm");
    if (scheme !== "bearer" || realm === undefined) {
      throw new ImageError("ErrImagePull", `${this.#host} asks for credentials (${scheme})`);
    }
    const url = new URL(realm);
    if (url.protocol !== "https:" && !LOOPBACK.test(url.host)) {
      throw new ImageError("ErrImagePull", `${this.#host}: token realm ${realm} is not https`);
    }
    const service = parameters.get("service");
    if (service !== undefined) url.searchParams.set("service", service);
    url.searchParams.set("scope", parameters.get("scope") ?? `repository:${this.#path}:pull`);
    const response = await this.#fetch(url.href, "application/json", basic);
    const body = JSON.parse((await this.#documentOf(response, url.host)).toString("utf8")) as {
      token?: unknown;
      access_token?: unknown;
    };
    const token = body.token ?? body.access_token;
    if (typeof token !== "string") {
      throw new ImageError("ErrImagePull", `${url.host} granted no token for ${this.#path}`);
    }
    return `Bearer ${token}`;
  }

  #unexpected(response: Response, shown: string): ImageError {
    return new ImageError(
      "ErrImagePull",
      `unexpected status ${response.status} ${response.statusText} from ${this.#host} for ${shown}`,
    );
  }
}

/** `Bearer realm="…",service="…"` as its scheme (lower case) and parameters. */
export function parseChallenge(header: string): [string, ReadonlyMap<string, string>] {
  const text = header.slice(0, 4096).trim();
  const space = text.indexOf(" ");
  const scheme = (space < 0 ? text : text.slice(0, space)).toLowerCase();
  const parameters = new Map<string, string>();
  for (const match of text.slice(space + 1).matchAll(/([a-zA-Z_]+)="([^"]*)"/g)) {
    parameters.set((match[1] ?? "").toLowerCase(), match[2] ?? "");
  }
  return [scheme, parameters];
}
