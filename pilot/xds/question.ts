/** Requests about the server itself, which ADS clients like istioctl ask by a type of their own. */

import { frameResource } from "#pilot/cache/resource.ts";
import type { Protocol } from "#pilot/cache/shared-frames.ts";

export interface Question {
  /** Untrusted, as the names are. */
  typeUrl: string;
  names: readonly string[];
  /** `address:port` of the client. */
  peer: string;
  /** `address:port` that it has called. */
  local: string;
}

export type Answer =
  | { ok: true; fields: (protocol: Protocol) => Buffer[] }
  /** Ends the stream with this grpc-status. */
  | { ok: false; code: number; message: string };

/** Undefined where it is no such question. */
export type AnswerQuestion = (question: Question) => Answer | undefined;

export interface AnswerResource {
  name: string;
  /** Of the Any that goes out. */
  typeUrl: string;
  bytes: Buffer;
}

export function answerWith(resources: readonly AnswerResource[]): Answer {
  return {
    ok: true,
    fields: (protocol) =>
      resources.map(({ name, typeUrl, bytes }) => {
        const framed = frameResource({ type: typeUrl, name, version: "" }, bytes);
        return protocol === "delta" ? framed.deltaField : framed.field;
      }),
  };
}
