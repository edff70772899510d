/** Answers of other servers: checked, and aged while they are in the cache. */

import { HEADER_BYTES, TYPE } from "./wire.ts";

/** Where an answer's times to live stand, and the shortest of them. */
export interface Lifetimes {
  offsets: readonly number[];
  /** Undefined without records. */
  shortestSeconds: number | undefined;
}

const MAX_RECORDS = 4_096;

/** Undefined when the message isn't well formed; never throws. */
export function readLifetimes(message: Buffer): Lifetimes | undefined {
  if (message.length < HEADER_BYTES) return undefined;
  let at: number | undefined = HEADER_BYTES;
  for (let left = message.readUInt16BE(4); left > 0; left--) {
    at = skipName(message, at);
    if (at === undefined || at + 4 > message.length) return undefined;
    at += 4;
  }
  const count = message.readUInt16BE(6) + message.readUInt16BE(8) + message.readUInt16BE(10);
  if (count > MAX_RECORDS) return undefined;
  const offsets: number[] = [];
  let shortestSeconds: number | undefined;
  for (let left = count; left > 0; left--) {
    at = skipName(message, at);
    if (at === undefined || at + 10 > message.length) return undefined;
    if (message.readUInt16BE(at) !== TYPE.OPT) {
      offsets.push(at + 4);
      const seconds = message.readUInt32BE(at + 4);
      shortestSeconds = Math.min(shortestSeconds ?? seconds, seconds);
    }
    at += 10 + message.readUInt16BE(at + 8);
    if (at > message.length) return undefined;
  }
  return { offsets, shortestSeconds };
}

/** The offset behind a name; pointers end it and aren't followed. */
function skipName(message: Buffer, from: number): number | undefined {
  let at = from;
  for (;;) {
    const length = message[at];
    if (length === undefined) return undefined;
    if (length >= 0xc0) return at + 2;
    if (length > 63) return undefined;
    if (length === 0) return at + 1;
    at += 1 + length;
  }
}

/** Whether it is an answer to exactly this question; names are compared without case. */
export function isAnswerTo(message: Buffer, id: number, question: Buffer): boolean {
  if (message.length < HEADER_BYTES + question.length) return false;
  if (message.readUInt16BE(0) !== id || (message.readUInt16BE(2) & 0x8000) === 0) return false;
  if (message.readUInt16BE(4) !== 1) return false;
  const asked = message.subarray(HEADER_BYTES, HEADER_BYTES + question.length);
  return asked.toString("latin1").toLowerCase() === question.toString("latin1").toLowerCase();
}

/** A copy for another client: its id and spelling, and lifetimes reduced by the time in the cache. */
export function readdress(
  message: Buffer,
  to: { id: number; question: Buffer; ageSeconds: number },
  lifetimes: Lifetimes,
): Buffer {
  const copy = Buffer.from(message);
  copy.writeUInt16BE(to.id, 0);
  to.question.copy(copy, HEADER_BYTES);
  for (const offset of lifetimes.offsets) {
    copy.writeUInt32BE(Math.max(0, message.readUInt32BE(offset) - to.ageSeconds), offset);
  }
  return copy;
}

/** The question with an empty answer and the TC bit, which sends the client to TCP. */
export function truncate(message: Buffer, questionBytes: number): Buffer {
  const copy = Buffer.from(message.subarray(0, HEADER_BYTES + questionBytes));
  copy.writeUInt16BE(copy.readUInt16BE(2) | 0x0200, 2);
  copy.fill(0, 6, HEADER_BYTES);
  return copy;
}
