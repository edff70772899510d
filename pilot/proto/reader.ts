import type { ScalarType } from "./descriptors.ts";

/** Reads protobuf's wire format; every method throws an Error at a truncated or wrong byte. */
export class WireReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get more(): boolean {
    return this.#at < this.#bytes.length;
  }

  /** Up to 53 bits exactly; more lose their lowest bits (`bigVarint` doesn't). */
  varint(): number {
    let value = 0;
    let scale = 1;
    for (let length = 0; length < 10; length++) {
      const byte = this.#bytes[this.#at++];
      if (byte === undefined) throw new Error("truncated varint");
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
      scale *= 128;
    }
    throw new Error("varint of over 10 bytes");
  }

  bigVarint(): bigint {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.#bytes[this.#at++];
      if (byte === undefined) throw new Error("truncated varint");
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asUintN(64, value);
    }
    throw new Error("varint of over 10 bytes");
  }

  /** A varint in two's complement of so many bits. */
  signed(bits: 32 | 64): bigint {
    return BigInt.asIntN(bits, this.bigVarint());
  }

  /** The bytes after a length, as a view. */
  bytes(): Buffer {
    const length = this.varint();
    return this.#take(length);
  }

  string(): string {
    return this.bytes().toString("utf8");
  }

  /** All that is left, as a view. */
  rest(): Buffer {
    return this.#take(this.#bytes.length - this.#at);
  }

  /** A reader of the bytes after a length. */
  nested(): WireReader {
    return new WireReader(this.bytes());
  }

  skip(wire: number): void {
    switch (wire) {
      case 0:
        this.varint();
        return;
      case 1:
        this.#take(8);
        return;
      case 2:
        this.bytes();
        return;
      case 5:
        this.#take(4);
        return;
      default:
        throw new Error(`wire type ${wire} is not known`);
    }
  }

  /** In ProtoJSON: 64-bit integers are strings, bytes base64, NaN and infinities words. */
  scalar(type: ScalarType): string | number | boolean {
    switch (type) {
      case "bool":
        return this.varint() !== 0;
      case "string":
        return this.string();
      case "bytes":
        return this.bytes().toString("base64");
      case "double":
        return finite(this.#take(8).readDoubleLE());
      case "float":
        return finite(this.#take(4).readFloatLE());
      case "uint32":
        return this.varint();
      case "int32":
        return Number(this.signed(32));
      case "sint32":
        return Number(unzigzag(this.bigVarint()));
      case "fixed32":
        return this.#take(4).readUInt32LE();
      case "sfixed32":
        return this.#take(4).readInt32LE();
      case "uint64":
        return this.bigVarint().toString();
      case "int64":
        return this.signed(64).toString();
      case "sint64":
        return unzigzag(this.bigVarint()).toString();
      case "fixed64":
        return this.#take(8).readBigUInt64LE().toString();
      case "sfixed64":
        break;
    }
    return this.#take(8).readBigInt64LE().toString();
  }

  #take(length: number): Buffer {
    const end = this.#at + length;
    if (end > this.#bytes.length) throw new Error("truncated field");
    const bytes = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return bytes;
  }
}

function finite(value: number): number | string {
  return Number.isFinite(value) ? value : String(value);
}

function unzigzag(value: bigint): bigint {
  return (value & 1n) === 0n ? value >> 1n : -((value + 1n) >> 1n);
}
