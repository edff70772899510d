/**
 * The parts of RFC 1035's wire format that are read and written by hand because every query passes
 * them; records are encoded by the dns-packet library (`encode.ts`).
 */

export const HEADER_BYTES = 12;
/** What a client without EDNS takes over UDP. */
export const PLAIN_UDP_BYTES = 512;
/** The most that is sent over UDP, so that no packet is fragmented (DNS flag day 2020). */
export const MAX_UDP_BYTES = 1_232;
export const MAX_MESSAGE_BYTES = 65_535;

export const TYPE = {
  A: 1,
  NS: 2,
  CNAME: 5,
  SOA: 6,
  PTR: 12,
  TXT: 16,
  AAAA: 28,
  SRV: 33,
  OPT: 41,
  ANY: 255,
};
export const RCODE = { NOERROR: 0, FORMERR: 1, SERVFAIL: 2, NXDOMAIN: 3, NOTIMP: 4, REFUSED: 5 };
const CLASS_IN = 1;
const MAX_NAME_BYTES = 255;

/** A question that was asked, with what the answer needs of its message. */
export interface Query {
  id: number;
  /** The header's second 16 bits. */
  flags: number;
  /** The question as it was sent (a view), to be sent back: clients compare case (0x20). */
  question: Buffer;
  /** The question in lower case, one character a byte: equal questions have equal keys. */
  key: string;
  type: number;
  /** What the client takes over UDP; undefined without EDNS. */
  ednsBytes: number | undefined;
  /** The client wants DNSSEC records. */
  isDnssecWanted: boolean;
}

export type ParsedQuery =
  | { kind: "query"; query: Query }
  /** To be answered with this rcode and nothing else. */
  | { kind: "refused"; rcode: number }
  /** Too short to answer, or an answer itself: answering those makes loops. */
  | { kind: "ignored" };

/** Reads a client's message; never throws. */
export function parseQuery(message: Buffer): ParsedQuery {
  if (message.length < HEADER_BYTES) return { kind: "ignored" };
  const flags = message.readUInt16BE(2);
  if ((flags & 0x8000) !== 0) return { kind: "ignored" };
  if ((flags & 0x7800) !== 0) return { kind: "refused", rcode: RCODE.NOTIMP };
  if (message.readUInt16BE(4) !== 1) return { kind: "refused", rcode: RCODE.FORMERR };
  const nameEnd = findNameEnd(message);
  if (nameEnd === undefined) return { kind: "refused", rcode: RCODE.FORMERR };
  const end = nameEnd + 4;
  if (message.readUInt16BE(nameEnd + 2) !== CLASS_IN) {
    return { kind: "refused", rcode: RCODE.REFUSED };
  }
  const question = message.subarray(HEADER_BYTES, end);
  const type = message.readUInt16BE(nameEnd);
  // Lengths are part of the key, so labels that contain a dot stay different.
  const key = lowerCase(message.toString("latin1", HEADER_BYTES, end));
  const query = { id: message.readUInt16BE(0), flags, question, key, type };
  return { kind: "query", query: { ...query, ...parseEdns(message, end) } };
}

/** The offset behind the first question's name; undefined when it is compressed or cut off. */
function findNameEnd(message: Buffer): number | undefined {
  let at = HEADER_BYTES;
  for (;;) {
    const length = message[at];
    if (length === undefined || length > 63) return undefined;
    at += 1 + length;
    if (at - HEADER_BYTES > MAX_NAME_BYTES) return undefined;
    if (length === 0) return at + 4 > message.length ? undefined : at;
  }
}

/** The question's name in lower case, without the root. */
export function labelsOf(query: Pick<Query, "key">): string[] {
  const labels: string[] = [];
  for (let at = 0; at < query.key.length;) {
    const length = query.key.charCodeAt(at);
    if (length === 0) break;
    labels.push(query.key.slice(at + 1, at + 1 + length));
    at += 1 + length;
  }
  return labels;
}

/** Letters of ASCII only: other bytes of a name have no case (RFC 4343). */
function lowerCase(text: string): string {
  return /[A-Z]/.test(text) ? text.replaceAll(/[A-Z]+/g, (part) => part.toLowerCase()) : text;
}

function parseEdns(
  message: Buffer,
  at: number,
): { ednsBytes: number | undefined; isDnssecWanted: boolean } {
  const isPlain = message.readUInt16BE(6) === 0 && message.readUInt16BE(8) === 0;
  const hasOpt =
    isPlain &&
    message.readUInt16BE(10) > 0 &&
    at + 11 <= message.length &&
    message[at] === 0 &&
    message.readUInt16BE(at + 1) === TYPE.OPT;
  if (!hasOpt) return { ednsBytes: undefined, isDnssecWanted: false };
  return {
    ednsBytes: Math.max(PLAIN_UDP_BYTES, message.readUInt16BE(at + 3)),
    isDnssecWanted: (message.readUInt16BE(at + 7) & 0x8000) !== 0,
  };
}

/** The records of an answer, each encoded with the question's name at offset 12. */
export interface Sections {
  rcode: number;
  isAuthoritative: boolean;
  answers: readonly Buffer[];
  authorities: readonly Buffer[];
  additionals: readonly Buffer[];
}

/**
 * The message that answers the query. Over UDP what doesn't fit is left out and TC set, and the
 * client asks again by TCP. `first` turns the answers round, so that clients that take the first
 * address spread over all.
 */
export function buildAnswer(query: Query, sections: Sections, how: AnswerOptions): Buffer {
  const limit = how.isUdp
    ? Math.min(query.ednsBytes ?? PLAIN_UDP_BYTES, MAX_UDP_BYTES)
    : MAX_MESSAGE_BYTES;
  const hasOpt = query.ednsBytes !== undefined;
  const base = HEADER_BYTES + query.question.length + (hasOpt ? OPT_RECORD.length : 0);
  const required = base + bytesOf(sections.answers) + bytesOf(sections.authorities);
  const extra = bytesOf(sections.additionals);
  const isTruncated = required > limit;
  // Additional records are a service, not part of the answer (RFC 2181, section 9).
  const hasRoom = !isTruncated && required + extra <= limit;
  const answers = isTruncated ? [] : sections.answers;
  const authorities = isTruncated ? [] : sections.authorities;
  const additionals = hasRoom ? sections.additionals : [];
  const message = Buffer.allocUnsafe(isTruncated ? base : required + (hasRoom ? extra : 0));
  const flags =
    0x8080 |
    (query.flags & 0x0100) |
    (sections.isAuthoritative ? 0x0400 : 0) |
    (isTruncated ? 0x0200 : 0) |
    sections.rcode;
  message.writeUInt16BE(query.id, 0);
  message.writeUInt16BE(flags, 2);
  message.writeUInt16BE(1, 4);
  message.writeUInt16BE(answers.length, 6);
  message.writeUInt16BE(authorities.length, 8);
  message.writeUInt16BE(additionals.length + (hasOpt ? 1 : 0), 10);
  message.set(query.question, HEADER_BYTES);
  let at = HEADER_BYTES + query.question.length;
  at = put(message, turned(answers, how.first), at);
  at = put(message, authorities, at);
  at = put(message, additionals, at);
  if (hasOpt) message.set(OPT_RECORD, at);
  return message;
}

function put(message: Buffer, records: readonly Buffer[], from: number): number {
  let at = from;
  for (const record of records) {
    message.set(record, at);
    at += record.length;
  }
  return at;
}

export interface AnswerOptions {
  isUdp: boolean;
  /** Index of the answer that comes first. */
  first?: number;
}

/** Root name, type OPT, our UDP size, no flags, no options. */
const OPT_RECORD = Buffer.from([
  0,
  0,
  TYPE.OPT,
  MAX_UDP_BYTES >> 8,
  MAX_UDP_BYTES & 255,
  0,
  0,
  0,
  0,
  0,
  0,
]);

/** An answer to a message that can't be understood: the header with an rcode. */
export function buildRefusal(message: Buffer, rcode: number): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  message.copy(header, 0, 0, 2);
  header.writeUInt16BE(0x8080 | (message.readUInt16BE(2) & 0x7900) | rcode, 2);
  return header;
}

function bytesOf(records: readonly Buffer[]): number {
  let sum = 0;
  for (const record of records) sum += record.length;
  return sum;
}

function turned(records: readonly Buffer[], first = 0): readonly Buffer[] {
  return first === 0 ? records : [...records.slice(first), ...records.slice(0, first)];
}
