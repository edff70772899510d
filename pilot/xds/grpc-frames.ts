/** gRPC's length-prefixed messages (grpc/grpc, "gRPC over HTTP2"). */

export type FrameProblem = { code: number; message: string };

/** grpc-status codes that this server answers with. */
export const STATUS = {
  OK: 0,
  INVALID_ARGUMENT: 3,
  RESOURCE_EXHAUSTED: 8,
  UNIMPLEMENTED: 12,
  INTERNAL: 13,
  UNAVAILABLE: 14,
} as const;

/** Puts messages together from chunks; never holds more than one message of the greatest size. */
export class FrameReader {
  readonly #maxBytes: number;
  #chunks: Buffer[] = [];
  #held = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Calls `onMessage` for each message that the chunk completes; gives the reason to stop, if any. */
  push(chunk: Buffer, onMessage: (message: Buffer) => void): FrameProblem | undefined {
    this.#chunks.push(chunk);
    this.#held += chunk.length;
    while (this.#held >= 5) {
      const head = this.#joined();
      const length = head.readUInt32BE(1);
      if (head[0] !== 0) {
        return { code: STATUS.UNIMPLEMENTED, message: "compressed messages are not accepted" };
      }
      if (length > this.#maxBytes) {
        const message = `message of ${length} bytes, the limit is ${this.#maxBytes}`;
        return { code: STATUS.RESOURCE_EXHAUSTED, message };
      }
      if (this.#held < 5 + length) return undefined;
      const all = this.#joined(true);
      this.#chunks = all.length > 5 + length ? [all.subarray(5 + length)] : [];
      this.#held = all.length - 5 - length;
      onMessage(all.subarray(5, 5 + length));
    }
    return undefined;
  }

  /** The first chunk with at least the five bytes of a head, or all chunks as one. */
  #joined(all = false): Buffer {
    const first = this.#chunks[0];
    if (first !== undefined && (this.#chunks.length === 1 || (!all && first.length >= 5))) {
      return first;
    }
    const joined = Buffer.concat(this.#chunks);
    this.#chunks = [joined];
    return joined;
  }
}

/** The prefix of a message of so many bytes. */
export function frameHead(length: number): Buffer {
  const head = Buffer.allocUnsafe(5);
  head[0] = 0;
  head.writeUInt32BE(length, 1);
  return head;
}

/** `grpc-message` carries percent-encoded UTF-8, and at most this much of it. */
export function encodeStatusMessage(message: string): string {
  return message
    .slice(0, 1000)
    .toWellFormed()
    .replaceAll(/%|[^ -~]/gu, (character) => encodeURIComponent(character));
}
