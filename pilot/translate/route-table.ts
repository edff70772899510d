/**
 * The virtual hosts of one shared route configuration, with every domain in one place only: hosts
 * that only rules declare come before services, then the order of names decides.
 */

import type { VirtualHost } from "#pilot/ir/route.ts";
import { cached } from "#pilot/model/cached.ts";
import { compareText } from "#pilot/model/object.ts";
import type { NodeChanges } from "./keyed-list.ts";
import { sameFields } from "./reuse.ts";
import type { PortHost } from "./virtual-hosts.ts";

/** Changes of one host only look at hosts that claim a domain which it claims or claimed. */
export class RouteTable {
  /** What hosts ask for, and what of that they have. */
  readonly #drafts = new Map<string, PortHost>();
  readonly #placed = new Map<string, VirtualHost>();
  /** Domain → hosts that ask for it; made when the first domain changes hands. */
  #claims: Map<string, Set<string>> | undefined;
  #sorted: readonly VirtualHost[] | undefined;

  get size(): number {
    return this.#drafts.size;
  }

  /** By name. */
  get hosts(): readonly VirtualHost[] {
    this.#sorted ??= [...this.#placed.values()].toSorted((left, right) =>
      compareText(left.name, right.name),
    );
    return this.#sorted;
  }

  /** Puts and, where there is no draft, removes what hosts ask for. */
  update(drafts: ReadonlyMap<string, PortHost | undefined>): NodeChanges<VirtualHost> {
    const isFirst = this.#drafts.size === 0;
    const keeping: string[] = [];
    const contested = new Set<string>();
    for (const [key, draft] of drafts) {
      const before = this.#drafts.get(key);
      const after = draft === undefined ? undefined : unchangedOr(draft, before);
      if (before === after) continue;
      if (after === undefined) this.#drafts.delete(key);
      else this.#drafts.set(key, after);
      if (before !== undefined && after !== undefined && asksTheSame(before, after)) {
        keeping.push(key);
      } else {
        for (const domain of this.#reclaim(key, before, after)) contested.add(domain);
        contested.add("");
      }
    }
    const changes = { gone: [], fresh: [] };
    for (const key of keeping) this.#place(key, this.#placed.get(key)?.domains ?? [], changes);
    if (isFirst) this.#placeAll(changes);
    else if (contested.size > 0) this.#settle([...drafts.keys()], contested, changes);
    return changes;
  }

  /** Everybody's claims, in order. */
  #placeAll(changes: Mutable): void {
    const taken = new Set<string>();
    for (const [key, draft] of [...this.#drafts].toSorted(byPrecedence)) {
      const free = draft.host.domains.filter((domain) => !taken.has(domain.toLowerCase()));
      for (const domain of free) taken.add(domain.toLowerCase());
      this.#place(key, free, changes);
    }
  }

  /** Gives the domains of the changed hosts, and those they have let go, to whom they belong. */
  #settle(changed: readonly string[], contested: ReadonlySet<string>, changes: Mutable): void {
    const claims = (this.#claims ??= claimsOf(this.#drafts));
    const concerned = new Set(changed);
    for (const domain of contested) for (const key of claims.get(domain) ?? []) concerned.add(key);
    for (const key of concerned) {
      const own = this.#drafts.get(key)?.host.domains ?? [];
      this.#place(
        key,
        own.filter((domain) => this.#ownerOf(claims.get(domain.toLowerCase())) === key),
        changes,
      );
    }
  }

  #ownerOf(claimants: ReadonlySet<string> | undefined): string | undefined {
    if (claimants === undefined || claimants.size < 2) return claimants?.values().next().value;
    const drafts = [...claimants].flatMap((key): [string, PortHost][] => {
      const draft = this.#drafts.get(key);
      return draft === undefined ? [] : [[key, draft]];
    });
    return drafts.toSorted(byPrecedence)[0]?.[0];
  }

  /** Keeps the claims, where they are known, in step; the domains concerned. */
  #reclaim(key: string, before: PortHost | undefined, after: PortHost | undefined): string[] {
    const claims = this.#claims;
    const left = (before?.host.domains ?? []).map((domain) => domain.toLowerCase());
    const come = (after?.host.domains ?? []).map((domain) => domain.toLowerCase());
    if (claims !== undefined) {
      for (const domain of left) {
        const claimants = claims.get(domain);
        claimants?.delete(key);
        if (claimants?.size === 0) claims.delete(domain);
      }
      for (const domain of come) claim(claims, domain, key);
    }
    return [...left, ...come];
  }

  /** A host without any domain isn't there. */
  #place(key: string, domains: readonly string[], { gone, fresh }: Mutable): void {
    const draft = this.#drafts.get(key);
    const before = this.#placed.get(key);
    const after =
      draft === undefined || domains.length === 0 ? undefined : withDomains(draft.host, domains);
    if (before === after) return;
    if (before !== undefined) gone.push(before);
    if (after === undefined) this.#placed.delete(key);
    else {
      this.#placed.set(key, after);
      fresh.push(after);
    }
    this.#sorted = undefined;
  }
}

interface Mutable {
  readonly gone: VirtualHost[];
  readonly fresh: VirtualHost[];
}

function unchangedOr(draft: PortHost, before: PortHost | undefined): PortHost {
  if (before === undefined || before.ruleOnly !== draft.ruleOnly) return draft;
  return sameFields(before.host, draft.host) ? before : draft;
}

function asksTheSame(left: PortHost, right: PortHost): boolean {
  return left.ruleOnly === right.ruleOnly && sameFields(left.host.domains, right.host.domains);
}

function byPrecedence(
  [leftKey, left]: readonly [string, PortHost],
  [rightKey, right]: readonly [string, PortHost],
): number {
  return Number(right.ruleOnly) - Number(left.ruleOnly) || compareText(leftKey, rightKey);
}

function claimsOf(drafts: ReadonlyMap<string, PortHost>): Map<string, Set<string>> {
  const claims = new Map<string, Set<string>>();
  for (const [key, { host }] of drafts) {
    for (const domain of host.domains) claim(claims, domain.toLowerCase(), key);
  }
  return claims;
}

function claim(claims: Map<string, Set<string>>, domain: string, key: string): void {
  const claimants = claims.get(domain);
  if (claimants === undefined) claims.set(domain, new Set([key]));
  else claimants.add(key);
}

const withDomains = cached((host: VirtualHost, domains: readonly string[]): VirtualHost =>
  domains.length === host.domains.length ? host : { ...host, domains },
);
