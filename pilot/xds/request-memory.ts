import type { DiscoveryRequest } from "./discovery-request.ts";
import { parseRequest } from "./discovery-request.ts";
import type { Protocol } from "#pilot/cache/shared-frames.ts";

/** Smaller requests are parsed sooner than found; larger ones would take too much to keep. */
const MIN_BYTES = 2048;
const MAX_BYTES = 1 << 20;
const MAX_KEPT = 16;

interface Kept {
  readonly protocol: Protocol;
  readonly bytes: Buffer;
  readonly request: DiscoveryRequest;
}

/**
 * Requests of late. Clients of one class ask for the endpoints of the same thousands of clusters in
 * the same bytes, and then have the same list of names, by which streams know each other.
 */
export class RequestMemory {
  /** The latest first. */
  readonly #kept: Kept[] = [];

  /** The request, which must not be changed. Throws an Error on bytes that aren't such a message. */
  parse(protocol: Protocol, bytes: Buffer): DiscoveryRequest {
    if (bytes.length < MIN_BYTES || bytes.length > MAX_BYTES) return parseRequest(protocol, bytes);
    const at = this.#kept.findIndex((one) => one.protocol === protocol && one.bytes.equals(bytes));
    const [found] = at < 0 ? [] : this.#kept.splice(at, 1);
    const kept = found ?? {
      protocol,
      bytes: Buffer.from(bytes),
      request: parseRequest(protocol, bytes),
    };
    // What only this client can say is kept for nobody.
    const { node, initialVersions } = kept.request;
    if (node !== undefined || initialVersions.size > 0) return kept.request;
    this.#kept.unshift(kept);
    if (this.#kept.length > MAX_KEPT) this.#kept.pop();
    return kept.request;
  }
}
