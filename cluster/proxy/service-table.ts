/** All frontends of a node, and the commands by which each change of a Service reaches nftables. */

import type { Command } from "./command.ts";
import { diffRules, keepSlots } from "./diff.ts";
import type { Frontend } from "./frontend.ts";
import { frontendKey, rulesOf } from "./ruleset.ts";
import type { FrontendRules } from "./ruleset.ts";
import { zoneOf } from "./zone.ts";

/** A frontend that is in effect. */
interface Active {
  frontend: Frontend;
  zone: number | undefined;
  rules: FrontendRules;
}

/** A Service's wish to have a frontend. */
interface Claim {
  serviceKey: string;
  frontend: Frontend;
}

/**
 * The desired state. Two Services may want the same address and port (externalIPs, shared
 * LoadBalancer addresses): the first by namespace and name has it, the other waits for it.
 */
export class ServiceTable {
  readonly #services = new Map<string, readonly Frontend[]>();
  readonly #claims = new Map<string, readonly Claim[]>();
  readonly #active = new Map<string, Active>();
  readonly #hairpins = new Map<string, number>();
  readonly #sharedChains = new Map<string, readonly string[]>();

  /** Sets a Service's frontends (none: it is gone) and returns what must be done. */
  update(serviceKey: string, frontends: readonly Frontend[]): Command[] {
    const before = this.#services.get(serviceKey) ?? [];
    if (frontends.length === 0) this.#services.delete(serviceKey);
    else this.#services.set(serviceKey, frontends);
    const keys = new Set([...before, ...frontends].map(frontendKey));
    return [...keys].flatMap((key) => {
      const own = frontends.find((frontend) => frontendKey(frontend) === key);
      this.#claim(key, serviceKey, own);
      return this.#settle(key);
    });
  }

  /** Every command that makes an empty table into the desired one. */
  all(): Command[] {
    const chains = [...this.#sharedChains].map(([name, rules]): Command => ({
      kind: "chain",
      op: "add",
      name,
      rules,
      service: "",
    }));
    const frontends = [...this.#active.values()].flatMap((active) =>
      diffRules(undefined, active.rules),
    );
    const hairpins = [...this.#hairpins.keys()].map((address) => hairpin("add", address, ""));
    return [...chains, ...frontends, ...hairpins];
  }

  get serviceCount(): number {
    return this.#services.size;
  }

  #claim(key: string, serviceKey: string, frontend: Frontend | undefined): void {
    const others = (this.#claims.get(key) ?? []).filter((c) => c.serviceKey !== serviceKey);
    const claims = frontend === undefined ? others : [...others, { serviceKey, frontend }];
    if (claims.length === 0) this.#claims.delete(key);
    else
      this.#claims.set(
        key,
        claims.toSorted((a, b) => (a.serviceKey < b.serviceKey ? -1 : 1)),
      );
  }

  #settle(key: string): Command[] {
    const previous = this.#active.get(key);
    const wanted = this.#claims.get(key)?.[0]?.frontend;
    const next = wanted === undefined ? undefined : this.#activate(wanted, previous);
    if (next === undefined) this.#active.delete(key);
    else this.#active.set(key, next);
    return [
      ...this.#addSharedChains(next),
      ...diffRules(previous?.rules, next?.rules),
      ...this.#countHairpins(previous, next),
    ];
  }

  #activate(wanted: Frontend, previous: Active | undefined): Active {
    const frontend = keepSlots(previous?.frontend, wanted);
    const zone = zoneOf(frontend, previous);
    return { frontend, zone, rules: rulesOf(frontend, zone) };
  }

  #addSharedChains(next: Active | undefined): Command[] {
    const missing = [...(next?.rules.sharedChains ?? [])].filter(
      ([name]) => !this.#sharedChains.has(name),
    );
    return missing.map(([name, rules]) => {
      this.#sharedChains.set(name, rules);
      return { kind: "chain", op: "add", name, rules, service: next?.frontend.service ?? "" };
    });
  }

  #countHairpins(previous: Active | undefined, next: Active | undefined): Command[] {
    const changes = new Map<string, number>();
    for (const address of previous?.rules.hairpins ?? []) add(changes, address, -1);
    for (const address of next?.rules.hairpins ?? []) add(changes, address, 1);
    const service = next?.frontend.service ?? previous?.frontend.service ?? "";
    return [...changes].flatMap(([address, change]) => {
      const before = this.#hairpins.get(address) ?? 0;
      const after = before + change;
      if (after === 0) this.#hairpins.delete(address);
      else this.#hairpins.set(address, after);
      if (before === 0 && after > 0) return [hairpin("add", address, service)];
      return before > 0 && after === 0 ? [hairpin("delete", address, service)] : [];
    });
  }
}

function add(counts: Map<string, number>, key: string, change: number): void {
  counts.set(key, (counts.get(key) ?? 0) + change);
}

function hairpin(op: "add" | "delete", address: string, service: string): Command {
  return { kind: "element", op, container: "hairpin", key: `${address} . ${address}`, service };
}
