/**
 * Writes protobuf's wire format from the last byte to the first: when a message's length has to be
 * written its content already stands behind it, so nothing is measured or copied twice.
 */
export class BackwardWriter {
  #buffer = Buffer.allocUnsafe(1 << 16);
  /** Index of the first byte written. */
  #at = this.#buffer.length;

  /** Bytes written so far; the length of a nested message is the difference of two of these. */
  get size(): number {
    return this.#buffer.length - this.#at;
  }

  /** What was written since `size` was `from`, as a copy; the writer goes back to `from`. */
  take(from: number): Buffer {
    const end = this.#buffer.length - from;
    const bytes = Buffer.from(this.#buffer.subarray(this.#at, end));
    this.#at = end;
    return bytes;
  }

  /** Forgets everything, after an error. */
  reset(): void {
    this.#at = this.#buffer.length;
  }

  bytes(value: Uint8Array): void {
    this.#reserve(value.length);
    this.#at -= value.length;
    this.#buffer.set(value, this.#at);
  }

  /** An unsigned integer below 2^53. */
  varint(value: number): void {
    this.#reserve(10);
    if (value < 0x80) {
      this.#buffer[--this.#at] = value;
      return;
    }
    if (value < 0x4000) {
      this.#at -= 2;
      this.#buffer[this.#at] = (value & 0x7f) | 0x80;
      this.#buffer[this.#at + 1] = value >> 7;
      return;
    }
    let length = 1;
    for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 128)) length++;
    let at = (this.#at -= length);
    let rest = value;
    while (rest >= 0x80) {
      this.#buffer[at++] = (rest % 128) | 0x80;
      rest = Math.floor(rest / 128);
    }
    this.#buffer[at] = rest;
  }

  /** A 64-bit integer; negative ones in two's complement. */
  bigVarint(value: bigint): void {
    let rest = BigInt.asUintN(64, value);
    const digits: number[] = [];
    do {
      digits.push(Number(rest & 0x7fn));
      rest >>= 7n;
    } while (rest > 0n);
    this.#reserve(10);
    for (let index = digits.length - 1; index >= 0; index--) {
      this.#buffer[--this.#at] = digits[index]! | (index < digits.length - 1 ? 0x80 : 0);
    }
  }

  /** UTF-8, without a length. */
  string(value: string): void {
    const length = value.length;
    this.#reserve(length * 3);
    if (length < 64 && this.#ascii(value)) return;
    const size = Buffer.byteLength(value);
    this.#at -= size;
    this.#buffer.write(value, this.#at, size, "utf8");
  }

  fixed32(value: number): void {
    this.#reserve(4);
    this.#buffer.writeInt32LE(value | 0, (this.#at -= 4));
  }

  fixed64(value: bigint): void {
    this.#reserve(8);
    this.#buffer.writeBigUInt64LE(BigInt.asUintN(64, value), (this.#at -= 8));
  }

  float(value: number): void {
    this.#reserve(4);
    this.#buffer.writeFloatLE(value, (this.#at -= 4));
  }

  double(value: number): void {
    this.#reserve(8);
    this.#buffer.writeDoubleLE(value, (this.#at -= 8));
  }

  /** Short strings are mostly ASCII, and then this beats the call into C++. */
  #ascii(value: string): boolean {
    const start = this.#at - value.length;
    for (let index = 0; index < value.length; index++) {
      const code = value.charCodeAt(index);
      if (code > 0x7f) return false;
      this.#buffer[start + index] = code;
    }
    this.#at = start;
    return true;
  }

  #reserve(length: number): void {
    if (this.#at >= length) return;
    const used = this.size;
    const grown = Buffer.allocUnsafe(Math.max(this.#buffer.length * 2, used + length + 1024));
    this.#buffer.copy(grown, grown.length - used, this.#at);
    this.#buffer = grown;
    this.#at = grown.length - used;
  }
}
