/** Address ranges in one way of writing, so that equal ranges are equal text. */

import { isIP } from "node:net";

/**
 * The canonical text of an address or CIDR: bits behind the prefix are cleared, a single address
 * keeps no prefix. Undefined for anything else.
 */
export function canonicalCidr(text: string): string | undefined {
  const [address = "", length, ...rest] = text.split("/");
  const version = isIP(address);
  if (version === 0 || rest.length > 0) return undefined;
  const width = version === 4 ? 32 : 128;
  const bits = length === undefined ? width : Number(length);
  if (length === "" || !Number.isInteger(bits) || bits < 0 || bits > width) return undefined;
  const groups = version === 4 ? bytesOfV4(address) : bytesOfV6(address);
  const masked = groups.map((byte, at) => byte & maskOf(bits - at * 8));
  const shown = version === 4 ? masked.join(".") : textOfV6(masked);
  return bits === width && length === undefined ? shown : `${shown}/${bits}`;
}

function maskOf(bits: number): number {
  if (bits >= 8) return 0xff;
  return bits <= 0 ? 0 : (0xff << (8 - bits)) & 0xff;
}

function bytesOfV4(address: string): number[] {
  return address.split(".").map(Number);
}

/**
 * URL parsing compresses and lower-cases IPv6 the way RFC 5952 wants; here it is expanded again.
 */
function bytesOfV6(address: string): number[] {
  const zoneless = address.split("%")[0] ?? address;
  const [head = "", tail] = zoneless.split("::");
  const words = (part: string): number[] =>
    part === ""
      ? []
      : part.split(":").flatMap((word) => {
          if (!word.includes(".")) return [Number.parseInt(word, 16)];
          const [a = 0, b = 0, c = 0, d = 0] = bytesOfV4(word);
          return [(a << 8) | b, (c << 8) | d];
        });
  const left = words(head);
  const right = tail === undefined ? [] : words(tail);
  const zeros = Array.from({ length: Math.max(0, 8 - left.length - right.length) }, () => 0);
  return [...left, ...zeros, ...right].flatMap((word) => [word >> 8, word & 0xff]);
}

function textOfV6(bytes: readonly number[]): string {
  const words: string[] = [];
  for (let at = 0; at < 16; at += 2) {
    words.push((((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0)).toString(16));
  }
  return new URL(`http://[${words.join(":")}]`).hostname.slice(1, -1);
}

/** Whether an address lies in a range; false for anything that is none. */
export function containsAddress(range: string, address: string): boolean {
  const [first = "", length] = range.split("/");
  if (isIP(first) === 0 || isIP(first) !== isIP(address)) return false;
  const bits = length ?? (isIP(first) === 4 ? "32" : "128");
  const wanted = canonicalCidr(`${first}/${bits}`);
  return wanted !== undefined && wanted === canonicalCidr(`${address}/${bits}`);
}
