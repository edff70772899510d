/** Which address each Service of type LoadBalancer has; pure. */

import type { Service } from "#cluster/api/generated/core-v1.ts";
import { objectKey } from "#cluster/client/object-store.ts";

export interface Allocation {
  /** Service key → address. */
  addresses: Map<string, string>;
  /** Services that get none, with the reason. */
  refused: Map<string, string>;
}

/** First and last usable address (as numbers) of an IPv4 range; network and broadcast are kept. */
export interface AddressRange {
  first: number;
  last: number;
}

/** Parses `a.b.c.d/n` with n from 8 to 30. */
export function parseRange(cidr: string): AddressRange {
  const [address = "", bits = ""] = cidr.split("/");
  const base = toNumber(address);
  const length = Number(bits);
  if (base === undefined || !/^[0-9]{1,2}$/.test(bits) || length < 8 || length > 30) {
    throw new Error(`loadBalancerCidr ${cidr}: not an IPv4 range from /8 to /30`);
  }
  const size = 2 ** (32 - length);
  const start = base - (base % size);
  return { first: start + 1, last: start + size - 2 };
}

/**
 * Derived from the Services alone, so a restart changes nothing: an address in a status is kept
 * (the older Service's when two claim it), then `spec.loadBalancerIP` is honoured, then the lowest
 * free address is taken.
 */
export function allocate(services: readonly Service[], range: AddressRange): Allocation {
  const balanced = services.filter(wantsAddress).toSorted(byAge);
  const addresses = new Map<string, string>();
  const refused = new Map<string, string>();
  const taken = new Set<number>();
  const give = (service: Service, address: number): void => {
    taken.add(address);
    addresses.set(objectKey(service.metadata), toText(address));
  };
  for (const service of balanced) {
    const current = toNumber(currentAddress(service) ?? "");
    const wanted = service.spec?.loadBalancerIP ?? "";
    const isWanted = current !== undefined && (wanted === "" || toNumber(wanted) === current);
    if (isWanted && isIn(range, current) && !taken.has(current)) give(service, current);
  }
  let next = range.first;
  const others = balanced.filter(({ metadata }) => !addresses.has(objectKey(metadata)));
  for (const service of others.toSorted((a, b) => Number(asks(b)) - Number(asks(a)))) {
    const key = objectKey(service.metadata);
    if (asks(service)) {
      const wanted = toNumber(service.spec?.loadBalancerIP ?? "");
      if (wanted === undefined || !isIn(range, wanted)) {
        refused.set(key, `loadBalancerIP ${service.spec?.loadBalancerIP} is not in the range`);
      } else if (taken.has(wanted)) {
        refused.set(key, `loadBalancerIP ${toText(wanted)} is in use`);
      } else {
        give(service, wanted);
      }
      continue;
    }
    while (taken.has(next)) next += 1;
    if (next > range.last) refused.set(key, "no address is free");
    else give(service, next);
  }
  return { addresses, refused };
}

/** Services of another load balancer's class aren't ours. */
export function wantsAddress(service: Service): boolean {
  return (
    service.spec?.type === "LoadBalancer" &&
    service.spec.loadBalancerClass === undefined &&
    service.metadata.deletionTimestamp === undefined
  );
}

export function currentAddress(service: Service): string | undefined {
  return service.status?.loadBalancer?.ingress?.[0]?.ip;
}

function asks(service: Service): boolean {
  return (service.spec?.loadBalancerIP ?? "") !== "";
}

function isIn({ first, last }: AddressRange, address: number): boolean {
  return address >= first && address <= last;
}

function byAge(a: Service, b: Service): number {
  const left = `${a.metadata.creationTimestamp} ${objectKey(a.metadata)}`;
  const right = `${b.metadata.creationTimestamp} ${objectKey(b.metadata)}`;
  return left < right ? -1 : 1;
}

function toNumber(address: string): number | undefined {
  const parts = address.split(".");
  if (parts.length !== 4 || !parts.every((part) => /^[0-9]{1,3}$/.test(part))) return undefined;
  if (parts.some((part) => Number(part) > 255)) return undefined;
  return parts.reduce((number, part) => number * 256 + Number(part), 0);
}

function toText(address: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(address / 2 ** shift) % 256).join(".");
}
