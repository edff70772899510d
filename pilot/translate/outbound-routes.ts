/**
 * Route configurations of sidecars: one a port, and one for each sniffed service with an address.
 */

import { ALLOW_ANY_DNS, type ClusterName, PASSTHROUGH } from "#pilot/ir/name.ts";
import type { RouteConfiguration, VirtualHost } from "#pilot/ir/route.ts";
import type { IrProblem } from "#pilot/ir/scope-ir.ts";
import { cached } from "#pilot/model/cached.ts";
import type { Extent } from "#pilot/model/extent.ts";
import type { MeshConfig, OutboundPolicy } from "#pilot/model/mesh-config.ts";
import { indexedHost } from "#pilot/model/name.ts";
import { compareText } from "#pilot/model/object.ts";
import { coveringKeys, lookup } from "#pilot/model/object-index.ts";
import { type PushContext, hostsOf } from "#pilot/model/push-context.ts";
import type { OutboundScope } from "#pilot/model/scope.ts";
import { egressProxy, outboundPolicy } from "./outbound-policy.ts";
import { byKey, noteProblems } from "./keyed-list.ts";
import {
  type MutableRouteChanges,
  type PlacedHost,
  type RouteChanges,
  emptyRouteChanges,
  noteConfiguration,
} from "./route-list.ts";
import { sameFields } from "./reuse.ts";
import { RouteTable } from "./route-table.ts";
import { type HostRoutes, type PortHost, portsOpenedBy, routesOfHost } from "./virtual-hosts.ts";

/**
 * What hosts contribute, and the shared configurations that it makes. A change of some hosts looks
 * at these alone; a port that opens or closes at all.
 */
export class OutboundRoutes {
  readonly #byHost = new Map<string, HostRoutes>();
  /** Of the few hosts that have any. */
  readonly #problems = new Map<string, readonly IrProblem[]>();
  readonly #opened = new Map<string, readonly number[]>();
  /** How many hosts have a port opened. */
  readonly #openers = new Map<number, number>();
  /** Services by their ports, whether these have a shared configuration or not. */
  readonly #services = new Map<number, Set<string>>();
  readonly #tables = new Map<number, RouteTable>();
  readonly #shared = new Map<number, RouteConfiguration>();
  #rest: VirtualHost | undefined;
  #nodes: readonly RouteConfiguration[] | undefined;

  /** Put together when it is read, by name. */
  get nodes(): readonly RouteConfiguration[] {
    this.#nodes ??= [
      ...[...this.#tables].map(([port, table]) => this.#configuration(port, table)),
      ...[...this.#byHost.values()].flatMap((routes) => routes.own),
    ].toSorted((left, right) => compareText(left.name, right.name));
    return this.#nodes;
  }

  problems(): IrProblem[] {
    return byKey(this.#problems).flat();
  }

  update(context: PushContext, scope: OutboundScope, extent: Extent): RouteChanges {
    const everyone = (): Set<string> => new Set([...this.#byHost.keys(), ...hostsIn(context)]);
    let hosts: ReadonlySet<string> = extent === "all" ? everyone() : extent;
    const moved = this.#notePorts(context, scope, hosts);
    // Hosts that only rules declare may have waited for the port, or have had problems there.
    if (moved.has(80)) hosts = everyone();
    else if (moved.size > 0) hosts = new Set([...hosts, ...this.#besides(moved, context)]);
    const changes = emptyRouteChanges();
    const drafts = new Map<number, Map<string, PortHost | undefined>>();
    const draft = (port: number, host: string, made: PortHost | undefined): void => {
      const ofPort = drafts.get(port) ?? new Map<string, PortHost | undefined>();
      drafts.set(port, ofPort.set(host, made));
    };
    for (const host of hosts) {
      const before = this.#byHost.get(host);
      const after = routesOfHost(context, scope, indexedHost(host), this.#openers.keys());
      noteProblems(this.#problems, host, after.problems);
      if (isEmpty(after)) this.#byHost.delete(host);
      else this.#byHost.set(host, after);
      this.#noteServices(host, before, after);
      for (const { port } of before?.shared ?? []) draft(port, host, undefined);
      for (const made of after.shared) draft(made.port, host, made);
      noteOwn(changes, before?.own ?? [], after.own);
    }
    this.#closePorts(changes);
    this.#updateRest(
      unmatched(context.mesh, outboundPolicy(context, scope), egressProxy(context, scope)),
      changes,
    );
    for (const [port, ofPort] of drafts) this.#updatePort(port, ofPort, changes);
    const { configurations, hosts: inside } = changes;
    const all = [configurations.gone, configurations.fresh, inside.gone, inside.fresh];
    if (all.some((nodes) => nodes.length > 0)) this.#nodes = undefined;
    return changes;
  }

  /** Keeps count of who opens which port; the ports that are open now or were before, not both. */
  #notePorts(context: PushContext, scope: OutboundScope, hosts: Iterable<string>): Set<number> {
    const before = new Set(this.#openers.keys());
    for (const host of hosts) {
      const opened = portsOpenedBy(context, scope, indexedHost(host));
      for (const port of this.#opened.get(host) ?? []) this.#count(port, -1);
      for (const port of opened) this.#count(port, 1);
      if (opened.length === 0) this.#opened.delete(host);
      else this.#opened.set(host, opened);
    }
    return before.symmetricDifference(new Set(this.#openers.keys()));
  }

  /** Services on these ports, and hosts that share a rule with one of them. */
  *#besides(ports: Iterable<number>, { indexes, mesh }: PushContext): Generator<string> {
    for (const port of ports) {
      for (const host of this.#services.get(port) ?? []) {
        yield host;
        for (const name of coveringKeys(indexes.virtualServicesByHost, indexedHost(host))) {
          for (const rule of lookup(indexes.virtualServicesByHost, name)) {
            yield* hostsOf(rule, mesh.clusterDomain);
          }
        }
      }
    }
  }

  #noteServices(host: string, before: HostRoutes | undefined, after: HostRoutes): void {
    for (const { port, ruleOnly } of before?.shared ?? []) {
      if (!ruleOnly) this.#services.get(port)?.delete(host);
    }
    for (const { port, ruleOnly } of after.shared) {
      if (ruleOnly) continue;
      const there = this.#services.get(port) ?? new Set<string>();
      this.#services.set(port, there.add(host));
    }
  }

  #count(port: number, by: number): void {
    const count = (this.#openers.get(port) ?? 0) + by;
    if (count === 0) this.#openers.delete(port);
    else this.#openers.set(port, count);
  }

  #updatePort(
    port: number,
    drafts: ReadonlyMap<string, PortHost | undefined>,
    changes: MutableRouteChanges,
  ): void {
    if (!this.#openers.has(port)) return;
    let table = this.#tables.get(port);
    if (table === undefined) {
      table = new RouteTable();
      this.#tables.set(port, table);
      noteConfiguration(changes, undefined, shell(SHELLS, port));
      if (this.#rest !== undefined) changes.hosts.fresh.push(placed(port, this.#rest));
    }
    const { gone, fresh } = table.update(drafts);
    if (gone.length > 0 || fresh.length > 0) this.#shared.delete(port);
    for (const host of gone) changes.hosts.gone.push(placed(port, host));
    for (const host of fresh) changes.hosts.fresh.push(placed(port, host));
  }

  #closePorts(changes: MutableRouteChanges): void {
    for (const [port, table] of this.#tables) {
      if (this.#openers.has(port)) continue;
      this.#tables.delete(port);
      this.#shared.delete(port);
      changes.configurations.gone.push(shell(SHELLS, port));
      for (const host of table.hosts) changes.hosts.gone.push(placed(port, host));
      if (this.#rest !== undefined) changes.hosts.gone.push(placed(port, this.#rest));
    }
  }

  /** What takes the rest of the requests is the same in all shared configurations. */
  #updateRest(rest: VirtualHost, changes: MutableRouteChanges): void {
    const before = this.#rest;
    if (before === rest || (before !== undefined && sameFields(before, rest))) return;
    this.#rest = rest;
    this.#shared.clear();
    for (const port of this.#tables.keys()) {
      if (before !== undefined) changes.hosts.gone.push(placed(port, before));
      changes.hosts.fresh.push(placed(port, rest));
    }
  }

  #configuration(port: number, table: RouteTable): RouteConfiguration {
    const known = this.#shared.get(port);
    if (known !== undefined) return known;
    const rest = this.#rest === undefined ? [] : [this.#rest];
    const made = { ...shell(SHELLS, port), virtualHosts: [...table.hosts, ...rest] };
    this.#shared.set(port, made);
    return made;
  }
}

function isEmpty({ shared, own, problems }: HostRoutes): boolean {
  return shared.length + own.length + problems.length === 0;
}

function placed(port: number, host: VirtualHost): PlacedHost {
  return { route: String(port), host };
}

function* hostsIn({ indexes }: PushContext): Generator<string> {
  yield* indexes.servicesByHost.lists.keys();
  yield* indexes.virtualServicesByHost.lists.keys();
}

const SHELLS = {};

/** A shared configuration without its virtual hosts. */
const shell = cached(
  (_owner: object, port: number): RouteConfiguration => ({
    name: String(port),
    virtualHosts: [],
    ignorePort: true,
    origins: [],
  }),
  65_536,
);

function noteOwn(
  changes: MutableRouteChanges,
  before: readonly RouteConfiguration[],
  after: readonly RouteConfiguration[],
): void {
  if (before.length + after.length === 0) return;
  const old = new Map(before.map((one) => [one.name, one]));
  const current = new Map(after.map((one) => [one.name, one]));
  for (const name of new Set([...old.keys(), ...current.keys()])) {
    noteConfiguration(changes, old.get(name), current.get(name));
  }
}

const REST: Readonly<Record<OutboundPolicy, { name: string; cluster?: ClusterName }>> = {
  ALLOW_ANY: { name: "allow_any", cluster: PASSTHROUGH },
  ALLOW_ANY_DYNAMIC_DNS: { name: "allow_any_dynamic_dns", cluster: ALLOW_ANY_DNS },
  REGISTRY_ONLY: { name: "block_all" },
};

/** What takes requests for hosts that nobody declared. */
export const unmatched = cached(
  (_mesh: MeshConfig, policy: OutboundPolicy, elsewhere?: ClusterName): VirtualHost => {
    const { name, cluster: usual } = REST[policy];
    const cluster = policy === "ALLOW_ANY" ? (elsewhere ?? usual) : usual;
    return {
      name,
      domains: ["*"],
      routes: [
        {
          name,
          match: { path: { kind: "prefix", value: "/" }, headers: [], query: [] },
          action:
            cluster !== undefined
              ? {
                  kind: "forward",
                  clusters: [{ cluster, weight: 1, origins: [] }],
                  timeoutMs: 0,
                  mirrors: [],
                  hash: [],
                }
              : { kind: "respond", status: 502 },
          origins: [],
        },
      ],
      requireTls: false,
      origins: [],
    };
  },
);
