/** Addresses for hosts of ServiceEntries that have none: who has which (Istio: 240.240.0.0/16). */

import { createHash } from "node:crypto";
import { isIPv4 } from "node:net";
import { isWildcard } from "#pilot/model/host.ts";
import { type Hostname, hostname } from "#pilot/model/name.ts";
import type { ServiceEntry } from "#pilot/model/object.ts";
import { type AllocatedAddresses, takesAllocatedAddresses } from "#pilot/registry/service-entry.ts";

/** What of a ServiceEntry decides about its addresses. */
export interface AddressClaim {
  /** `namespace/name`. */
  readonly key: string;
  readonly creationTimestamp: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly spec: ServiceEntry["spec"];
  readonly allocated: AllocatedAddresses;
}

/** `status.addresses` as it is to be. */
export type AddressList = readonly { readonly value: string; readonly host: string }[];

const PREFIX = "240.240";
/** The first and the last address of the range are nobody's. */
const SIZE = 65_534;

/**
 * Remembers what every entry has, and finds what one lacks. An address comes from the entry's and the
 * host's names, so the same entry made anew mostly has the same; what a status says stays as long as
 * no older entry, and no entry that was written so, has it too.
 */
export class AddressBook {
  readonly #claims = new Map<string, AddressClaim>();
  /** Address → those who have it. */
  readonly #owners = new Map<string, Set<string>>();

  /** Notes an entry, or that it is gone; the keys of others who may have to give way or may not any more. */
  note(key: string, claim: AddressClaim | undefined): string[] {
    const before = this.#claims.get(key);
    const touched = new Set<string>();
    for (const address of addressesOf(before)) {
      this.#owners.get(address)?.delete(key);
      for (const owner of this.#owners.get(address) ?? []) touched.add(owner);
    }
    if (claim === undefined) this.#claims.delete(key);
    else this.#claims.set(key, claim);
    for (const address of addressesOf(claim)) {
      const owners = this.#owners.get(address) ?? new Set<string>();
      for (const owner of owners) touched.add(owner);
      this.#owners.set(address, owners.add(key));
    }
    return [...touched].filter((other) => other !== key);
  }

  keys(): Iterable<string> {
    return this.#claims.keys();
  }

  /** What the status of an entry must say; undefined where it says it already. */
  wanted(key: string): AddressList | undefined {
    const claim = this.#claims.get(key);
    if (claim === undefined) return undefined;
    const taken = new Set<string>();
    const list = hostsToAllocate(claim).map((host) => {
      const kept = (claim.allocated.get(host) ?? []).filter((one) => this.#mayKeep(claim, one));
      const values = kept.length > 0 ? kept : [this.#free(claim, host, taken)];
      for (const value of values) taken.add(value);
      return { host, values };
    });
    const next = list.flatMap(({ host, values }) => values.map((value) => ({ value, host })));
    const now = [...claim.allocated].flatMap(([host, values]) =>
      values.map((value) => ({ value, host })),
    );
    return textOf(next) === textOf(now) ? undefined : next;
  }

  /** Written addresses win over allocated ones, older entries over younger. */
  #mayKeep(claim: AddressClaim, address: string): boolean {
    for (const other of this.#owners.get(address) ?? []) {
      const rival = other === claim.key ? undefined : this.#claims.get(other);
      if (rival === undefined) continue;
      if ((rival.spec.addresses ?? []).includes(address)) return false;
      if (isOlder(rival, claim)) return false;
    }
    return true;
  }

  /** The first free one from where the names lead; full is full. */
  #free(claim: AddressClaim, host: Hostname, taken: ReadonlySet<string>): string {
    const digest = createHash("sha256").update(`${claim.key}/${host}`).digest();
    const start = digest.readUInt32BE(0) % SIZE;
    for (let step = 0; step < SIZE; step++) {
      const number = 1 + ((start + step) % SIZE);
      const address = `${PREFIX}.${number >> 8}.${number & 255}`;
      if (!taken.has(address) && (this.#owners.get(address)?.size ?? 0) === 0) return address;
    }
    throw new Error(`no address of ${PREFIX}.0.0/16 is free for ${host} of ${claim.key}`);
  }
}

/** A wildcard has no name to look up, unless names are looked up on request. */
function hostsToAllocate(claim: AddressClaim): Hostname[] {
  if (!takesAllocatedAddresses(claim)) return [];
  const hosts = [...new Set((claim.spec.hosts ?? []).map(hostname))];
  return hosts.filter((host) => !isWildcard(host) || claim.spec.resolution === "DYNAMIC_DNS");
}

function addressesOf(claim: AddressClaim | undefined): string[] {
  if (claim === undefined) return [];
  const all = [...(claim.spec.addresses ?? []), ...[...claim.allocated.values()].flat()];
  return [...new Set(all)].filter((address) => isIPv4(address) && address.startsWith(`${PREFIX}.`));
}

function isOlder(left: AddressClaim, right: AddressClaim): boolean {
  return left.creationTimestamp === right.creationTimestamp
    ? left.key < right.key
    : left.creationTimestamp < right.creationTimestamp;
}

function textOf(list: AddressList): string {
  return JSON.stringify(list.map(({ host, value }) => `${host} ${value}`).toSorted());
}
