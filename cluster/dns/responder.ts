/** A query's message in, its answer out: the cluster's zone, then the upstream. */

import dnsPacket from "dns-packet";
import { LRUCache } from "lru-cache";
import { encodeZoneAnswer } from "./encode.ts";
import { truncate } from "./message.ts";
import type { DnsRecord, ZoneAnswer } from "./record.ts";
import type { Upstream } from "./upstream.ts";
import { MAX_UDP_BYTES, PLAIN_UDP_BYTES, RCODE } from "./wire.ts";
import { buildAnswer, buildRefusal, labelsOf, parseQuery } from "./wire.ts";
import type { Query, Sections } from "./wire.ts";

/** What a transport calls; undefined is silence. Never throws or rejects. */
export type Responder = (
  message: Buffer,
  transport: "udp" | "tcp",
) => Buffer | undefined | Promise<Buffer | undefined>;

export interface ResponderOptions {
  /** Undefined for names that are someone else's. */
  answerZone: (question: { labels: readonly string[]; type: number }) => ZoneAnswer | undefined;
  upstream: Upstream;
  /** Which of several addresses comes first; random when absent. */
  chooseFirst?: (count: number) => number;
}

const MAX_ENCODED = 16_384;
/** Aliases of aliases, all told. */
const MAX_CHASED = 8;

/**
 * Answers of the zone are encoded once and kept until `forget` is called, on any change: in the
 * normal case an answer is a look into a map and one copy.
 */
export function createResponder(options: ResponderOptions): {
  respond: Responder;
  forget: () => void;
} {
  const { answerZone, upstream } = options;
  const first = options.chooseFirst ?? ((count) => Math.floor(Math.random() * count));
  const encoded = new LRUCache<string, Sections>({ max: MAX_ENCODED });

  function respond(message: Buffer, transport: "udp" | "tcp") {
    const parsed = parseQuery(message);
    if (parsed.kind === "ignored") return undefined;
    if (parsed.kind === "refused") return buildRefusal(message, parsed.rcode);
    const failed = (): Buffer => buildRefusal(message, RCODE.SERVFAIL);
    try {
      const answer = answerQuery(parsed.query, transport === "udp");
      return answer instanceof Promise ? answer.catch(failed) : answer;
    } catch {
      // An object that can't be put into a record: its client is told, everyone else is served.
      return failed();
    }
  }

  function answerQuery(query: Query, isUdp: boolean): Buffer | Promise<Buffer> {
    const known = encoded.get(query.key);
    if (known !== undefined) return buildAnswer(query, known, { isUdp, first: turn(known) });
    const labels = labelsOf(query);
    const answer = answerZone({ labels, type: query.type });
    if (answer === undefined) return forward(query, isUdp);
    if (answer.chase !== undefined) return chase(query, answer, isUdp);
    const sections = encodeZoneAnswer(answer, labels.join("."));
    encoded.set(query.key, sections);
    return buildAnswer(query, sections, { isUdp, first: turn(sections) });
  }

  function turn(sections: Sections): number {
    const count = sections.answers.length;
    return count > 1 ? first(count) : 0;
  }

  async function forward(query: Query, isUdp: boolean): Promise<Buffer> {
    const message = await upstream.resolve(query);
    if (message === undefined) return buildAnswer(query, FAILED, { isUdp });
    const limit = Math.min(query.ednsBytes ?? PLAIN_UDP_BYTES, MAX_UDP_BYTES);
    return isUdp && message.length > limit ? truncate(message, query.question.length) : message;
  }

  /** The alias and what it stands for, as resolvers in pods don't ask again for it. */
  async function chase(query: Query, alias: ZoneAnswer, isUdp: boolean): Promise<Buffer> {
    const answers = [...alias.answers];
    let target = alias.chase;
    let rcode = alias.rcode;
    for (let step = 0; step < MAX_CHASED && target !== undefined; step++) {
      const own = answerZone({ labels: target.split("."), type: query.type });
      const next: Pick<ZoneAnswer, "rcode" | "answers" | "chase"> =
        own ?? (await resolveForeign(query, target));
      answers.push(...next.answers);
      rcode = next.rcode;
      target = next.chase;
    }
    const whole = { rcode, answers, authorities: [], additionals: [] };
    return buildAnswer(query, encodeZoneAnswer(whole, labelsOf(query).join(".")), { isUdp });
  }

  async function resolveForeign(
    query: Query,
    name: string,
  ): Promise<{ rcode: number; answers: DnsRecord[]; chase?: string }> {
    const question = encodeQuestion(name, query.question);
    if (question === undefined) return { rcode: RCODE.SERVFAIL, answers: [] };
    const parsed = parseQuery(question);
    const message = parsed.kind === "query" ? await upstream.resolve(parsed.query) : undefined;
    if (message === undefined) return { rcode: RCODE.SERVFAIL, answers: [] };
    return { rcode: message.readUInt16BE(2) & 15, answers: decodeAnswers(message) };
  }

  return { respond, forget: () => encoded.clear() };
}

const FAILED: Sections = {
  rcode: RCODE.SERVFAIL,
  isAuthoritative: false,
  answers: [],
  authorities: [],
  additionals: [],
};

/** A query for another name with the type and class of a question. */
function encodeQuestion(name: string, like: Buffer): Buffer | undefined {
  const labels = name.split(".").map((label) => Buffer.from(label, "latin1"));
  if (labels.some((label) => label.length === 0 || label.length > 63)) return undefined;
  const header = Buffer.from([0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
  const parts = labels.flatMap((label) => [Buffer.from([label.length]), label]);
  return Buffer.concat([header, ...parts, Buffer.from([0]), like.subarray(-4)]);
}

/** Addresses and aliases of an answer; those that can't be read are none. */
function decodeAnswers(message: Buffer): DnsRecord[] {
  try {
    const { answers = [] } = dnsPacket.decode(message);
    return answers.flatMap((answer): DnsRecord[] => {
      if (answer.type !== "A" && answer.type !== "AAAA" && answer.type !== "CNAME") return [];
      const { type, name, data } = answer;
      return [{ type, name, ttl: answer.ttl ?? 0, data }];
    });
  } catch {
    // dns-packet throws on what it doesn't understand.
    return [];
  }
}
