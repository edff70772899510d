/** Route configurations as a list that tells what has changed in it, virtual host by virtual host. */

import type { RouteConfiguration, VirtualHost } from "#pilot/ir/route.ts";
import type { IrProblem } from "#pilot/ir/scope-ir.ts";
import { KeyedList, type NodeChanges, wholeList } from "./keyed-list.ts";
import type { Translated } from "./result.ts";

/** A virtual host, and the name of the configuration that it is in. */
export interface PlacedHost {
  readonly route: string;
  readonly host: VirtualHost;
}

export interface RouteChanges {
  /** Without regard to their virtual hosts: those that are fresh here may have none. */
  readonly configurations: NodeChanges<RouteConfiguration>;
  readonly hosts: NodeChanges<PlacedHost>;
}

export interface MutableRouteChanges extends RouteChanges {
  readonly configurations: { gone: RouteConfiguration[]; fresh: RouteConfiguration[] };
  readonly hosts: { gone: PlacedHost[]; fresh: PlacedHost[] };
}

export function emptyRouteChanges(): MutableRouteChanges {
  return { configurations: { gone: [], fresh: [] }, hosts: { gone: [], fresh: [] } };
}

/** Notes that one configuration has taken the place of another, or of none. */
export function noteConfiguration(
  { configurations, hosts }: MutableRouteChanges,
  before: RouteConfiguration | undefined,
  after: RouteConfiguration | undefined,
): void {
  if (before === after) return;
  const [old, current] = [before, after].map((one) => new Set(one?.virtualHosts));
  if (before !== undefined) {
    configurations.gone.push(before);
    for (const host of before.virtualHosts) {
      if (current?.has(host) !== true) hosts.gone.push({ route: before.name, host });
    }
  }
  if (after !== undefined) {
    configurations.fresh.push(after);
    for (const host of after.virtualHosts) {
      if (old?.has(host) !== true) hosts.fresh.push({ route: after.name, host });
    }
  }
}

/** Configurations that are always translated as a whole. */
export class WholeRoutes {
  readonly #list = new KeyedList<RouteConfiguration>((one) => one.name);

  get nodes(): readonly RouteConfiguration[] {
    return this.#list.nodes;
  }

  problems(): IrProblem[] {
    return this.#list.problems();
  }

  /** Without `build` nothing has changed. */
  update(build?: () => Translated<readonly RouteConfiguration[]>): RouteChanges {
    if (build === undefined) return emptyRouteChanges();
    const { gone, fresh } = this.#list.update(wholeList(build), "all");
    const before = new Map(gone.map((one) => [one.name, one]));
    const after = new Map(fresh.map((one) => [one.name, one]));
    const changes = emptyRouteChanges();
    for (const name of new Set([...before.keys(), ...after.keys()])) {
      noteConfiguration(changes, before.get(name), after.get(name));
    }
    return changes;
  }
}
