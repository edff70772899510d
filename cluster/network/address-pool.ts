/** Hands out addresses of a range, each to one holder, and doesn't reuse one at once. */

import { formatAddress, parseAddress, requireCidr } from "./cidr.ts";

export interface AddressPool {
  /** The next free address after the last one given; undefined when all are taken. */
  allocate(): string | undefined;
  /** Takes a certain address, as after a restart; false when it is taken or outside the range. */
  reserve(address: string): boolean;
  /** Unknown addresses are ignored. */
  release(address: string): void;
}

/**
 * The network and the broadcast address are never given (except in ranges of one or two), nor those
 * in `reserved`, for example the gateway. The search goes round the range, so a released address
 * rests until all others have been used: late packets of its last holder find nobody.
 */
export function createAddressPool(cidr: string, reserved: readonly string[] = []): AddressPool {
  const range = requireCidr(cidr);
  const edge = range.size > 2 ? 1 : 0;
  const first = range.base + edge;
  const count = range.size - 2 * edge;
  const taken = new Set<number>();
  let next = 0;

  function reserve(address: string): boolean {
    const value = parseAddress(address);
    if (value === undefined || value < first || value >= first + count) return false;
    if (taken.has(value)) return false;
    taken.add(value);
    return true;
  }

  for (const address of reserved) reserve(address);
  return {
    allocate(): string | undefined {
      for (let tried = 0; tried < count; tried++) {
        const value = first + ((next + tried) % count);
        if (taken.has(value)) continue;
        taken.add(value);
        next = (value - first + 1) % count;
        return formatAddress(value);
      }
      return undefined;
    },
    reserve,
    release(address: string): void {
      const value = parseAddress(address);
      if (value !== undefined) taken.delete(value);
    },
  };
}
