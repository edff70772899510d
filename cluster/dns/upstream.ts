/** Names that aren't the cluster's: asked of other resolvers, each once while it lives. */

import { randomInt } from "node:crypto";
import { LRUCache } from "lru-cache";
import { exchange } from "./exchange.ts";
import type { Server } from "./exchange.ts";
import { readdress, readLifetimes } from "./message.ts";
import type { Lifetimes } from "./message.ts";
import { HEADER_BYTES, MAX_UDP_BYTES, RCODE, TYPE } from "./wire.ts";
import type { Query } from "./wire.ts";

export interface Upstream {
  /** A whole message for this query; undefined when nobody answers (SERVFAIL, for the caller). */
  resolve(query: Query): Promise<Buffer | undefined>;
}

export interface UpstreamOptions {
  /** Asked in this order. */
  servers: readonly Server[];
  signal: AbortSignal;
  nowMs?: () => number;
}

/** Clients give up after 5 s, so all servers together have less. */
const TIMEOUT_MS = 1_900;
const MAX_TRIES = 2;
/** More questions at once are answered with SERVFAIL, which clients repeat. */
const MAX_IN_FLIGHT = 512;
const MAX_CACHED = 4_096;
const MAX_CACHED_SECONDS = 3_600;
/** "No such name" must not last, or a record made now stays unseen. */
const MAX_NEGATIVE_SECONDS = 30;

interface Cached {
  message: Buffer;
  lifetimes: Lifetimes;
  storedMs: number;
}

/** Equal questions at the same time are one question upstream. */
export function createUpstream(options: UpstreamOptions): Upstream {
  const { servers, signal, nowMs = () => Date.now() } = options;
  const cache = new LRUCache<string, Cached>({
    max: MAX_CACHED,
    perf: { now: nowMs },
    ttlResolution: 0,
  });
  const inFlight = new Map<string, Promise<Cached | undefined>>();

  async function ask(query: Query): Promise<Cached | undefined> {
    for (let tried = 0; tried < MAX_TRIES; tried++) {
      const server = servers[tried % servers.length];
      if (server === undefined) return undefined;
      const message = await exchange(server, questionOf(query), timeout(signal)).catch(() => null);
      const lifetimes = message === null ? undefined : readLifetimes(message);
      if (message === null || lifetimes === undefined) continue;
      const answer = { message, lifetimes, storedMs: nowMs() };
      const seconds = lifetimeOf(answer);
      if (seconds > 0) cache.set(keyOf(query), answer, { ttl: seconds * 1_000 });
      return answer;
    }
    return undefined;
  }

  return {
    async resolve(query) {
      const key = keyOf(query);
      let answer = cache.get(key);
      if (answer === undefined) {
        let asking = inFlight.get(key);
        if (asking === undefined) {
          if (inFlight.size >= MAX_IN_FLIGHT || signal.aborted) return undefined;
          asking = ask(query).finally(() => inFlight.delete(key));
          inFlight.set(key, asking);
        }
        answer = await asking;
      }
      if (answer === undefined) return undefined;
      const ageSeconds = Math.floor((nowMs() - answer.storedMs) / 1_000);
      const to = { id: query.id, question: query.question, ageSeconds };
      return readdress(answer.message, to, answer.lifetimes);
    },
  };
}

function timeout(signal: AbortSignal): AbortSignal {
  return AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]);
}

/** With or without EDNS: the answer carries an OPT record as the question does. */
function keyOf(query: Query): string {
  const edns = query.ednsBytes === undefined ? "" : query.isDnssecWanted ? "do" : "edns";
  return `${query.key}/${edns}`;
}

function questionOf(query: Query): { message: Buffer; id: number; question: Buffer } {
  const id = randomInt(65_536);
  const opt = query.ednsBytes === undefined ? Buffer.alloc(0) : Buffer.alloc(11);
  if (opt.length > 0) {
    opt.writeUInt16BE(TYPE.OPT, 1);
    opt.writeUInt16BE(MAX_UDP_BYTES, 3);
    opt.writeUInt16BE(query.isDnssecWanted ? 0x8000 : 0, 7);
  }
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt16BE(id, 0);
  header.writeUInt16BE(0x0100, 2);
  header.writeUInt16BE(1, 4);
  header.writeUInt16BE(opt.length > 0 ? 1 : 0, 10);
  return { message: Buffer.concat([header, query.question, opt]), id, question: query.question };
}

/** How long an answer may be kept; failures not at all. */
function lifetimeOf(answer: Cached): number {
  const rcode = answer.message.readUInt16BE(2) & 15;
  const isNegative = rcode === RCODE.NXDOMAIN || answer.message.readUInt16BE(6) === 0;
  if (rcode !== RCODE.NOERROR && rcode !== RCODE.NXDOMAIN) return 0;
  const limit = isNegative ? MAX_NEGATIVE_SECONDS : MAX_CACHED_SECONDS;
  return Math.min(answer.lifetimes.shortestSeconds ?? 0, limit);
}
