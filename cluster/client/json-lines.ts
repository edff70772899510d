/** Splits a byte stream into lines; one line of a watch is one JSON document. */

const NEWLINE = 0x0a;

/** Yields the lines without their newline; a longer line than `maxBytes` is an error. */
export async function* readLines(
  chunks: AsyncIterable<Uint8Array>,
  maxBytes: number,
): AsyncGenerator<string, void, undefined> {
  let pending: Uint8Array[] = [];
  let pendingBytes = 0;
  for await (const chunk of chunks) {
    let start = 0;
    let end = chunk.indexOf(NEWLINE);
    while (end !== -1) {
      const line = chunk.subarray(start, end);
      const whole = pending.length === 0 ? line : Buffer.concat([...pending, line]);
      pending = [];
      pendingBytes = 0;
      if (whole.length > 0) yield decode(whole);
      start = end + 1;
      end = chunk.indexOf(NEWLINE, start);
    }
    if (start < chunk.length) {
      pending.push(chunk.subarray(start));
      pendingBytes += chunk.length - start;
      if (pendingBytes > maxBytes) throw new Error(`line longer than ${maxBytes} bytes`);
    }
  }
  if (pending.length > 0) yield decode(Buffer.concat(pending));
}

function decode(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("utf8");
}
