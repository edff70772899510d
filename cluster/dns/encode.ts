/** Records as bytes, by the dns-packet library, ready to be put behind any question. */

import dnsPacket from "dns-packet";
import type { DnsRecord, ZoneAnswer } from "./record.ts";
import { HEADER_BYTES } from "./wire.ts";
import type { Sections } from "./wire.ts";

/**
 * Owner names that are the question's become a pointer to it: so a hundred addresses of a headless
 * Service take 1.6 kB and not 5.6, and every case of the name can be answered with the same bytes.
 */
export function encodeZoneAnswer(answer: ZoneAnswer, questionName: string): Sections {
  const encode = (records: readonly DnsRecord[]) =>
    records.map((record) => encodeRecord(record, questionName));
  return {
    rcode: answer.rcode,
    isAuthoritative: true,
    answers: encode(answer.answers),
    authorities: encode(answer.authorities),
    additionals: encode(answer.additionals),
  };
}

function encodeRecord(record: DnsRecord, questionName: string): Buffer {
  const message = dnsPacket.encode({ type: "response", answers: [record] });
  const bytes = Buffer.from(message.subarray(HEADER_BYTES));
  if (record.name !== questionName) return bytes;
  const rest = bytes.subarray(record.name.length + 2);
  return Buffer.concat([POINTER_TO_QUESTION, rest]);
}

const POINTER_TO_QUESTION = Buffer.from([0xc0, HEADER_BYTES]);
