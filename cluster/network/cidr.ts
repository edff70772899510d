/** Arithmetic on IPv4 addresses and ranges; addresses are unsigned 32-bit numbers in between. */

export interface Cidr {
  /** The lowest address of the range. */
  base: number;
  prefixLength: number;
  /** How many addresses the range holds. */
  size: number;
}

/** Undefined unless the text is four decimal numbers of 0–255 without leading zeros. */
export function parseAddress(text: string): number | undefined {
  const parts = text.split(".");
  if (parts.length !== 4) return undefined;
  let value = 0;
  for (const part of parts) {
    if (!/^(0|[1-9][0-9]{0,2})$/.test(part)) return undefined;
    const octet = Number(part);
    if (octet > 255) return undefined;
    value = value * 256 + octet;
  }
  return value;
}

/** The dotted form. */
export function formatAddress(value: number): string {
  return [24, 16, 8, 0].map((shift) => (value >>> shift) & 255).join(".");
}

/** `a.b.c.d/n`, or a bare address as /32; host bits are cleared. Undefined when it is neither. */
export function parseCidr(text: string): Cidr | undefined {
  const slash = text.indexOf("/");
  const address = parseAddress(slash < 0 ? text : text.slice(0, slash));
  const length = slash < 0 ? "32" : text.slice(slash + 1);
  if (address === undefined || !/^[0-9]{1,2}$/.test(length)) return undefined;
  const prefixLength = Number(length);
  if (prefixLength > 32) return undefined;
  const size = 2 ** (32 - prefixLength);
  return { base: Math.floor(address / size) * size, prefixLength, size };
}

/** Like `parseCidr`, for ranges of our own configuration: throws when the text isn't one. */
export function requireCidr(text: string): Cidr {
  const cidr = parseCidr(text);
  if (cidr === undefined) throw new Error(`"${text}" is no IPv4 range (expected a.b.c.d/n)`);
  return cidr;
}

/** Whether the ranges share an address. */
export function overlaps(a: Cidr, b: Cidr): boolean {
  return a.base < b.base + b.size && b.base < a.base + a.size;
}
