/** IPv4 addresses and ranges as numbers. */

import { isIPv4 } from "node:net";

export interface AddressRange {
  first: number;
  /** How many addresses. */
  size: number;
}

/** Throws when the text is no IPv4 range such as `10.129.0.0/16`. */
export function parseRange(cidr: string): AddressRange {
  const [address = "", bits = ""] = cidr.split("/");
  const prefix = Number(bits);
  if (!isIPv4(address) || !/^\d{1,2}$/.test(bits) || prefix > 32) {
    throw new Error(`${cidr} is not an IPv4 address range`);
  }
  const size = 2 ** (32 - prefix);
  const first = Math.floor(toNumber(address) / size) * size;
  return { first, size };
}

export function toNumber(address: string): number {
  return address.split(".").reduce((sum, part) => sum * 256 + Number(part), 0);
}

export function toAddress(value: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(value / 2 ** shift) % 256).join(".");
}

export function isInRange(range: AddressRange, address: string): boolean {
  if (!isIPv4(address)) return false;
  const value = toNumber(address);
  return value >= range.first && value < range.first + range.size;
}
