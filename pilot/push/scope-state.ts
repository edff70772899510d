import type { ResourceInterner } from "#pilot/cache/interner.ts";
import type { EncodedResource } from "#pilot/cache/resource.ts";
import { ResourceTable } from "#pilot/cache/table.ts";
import {
  CLUSTER,
  ENDPOINTS,
  EXTENSION_CONFIG,
  LISTENER,
  ROUTES,
  SECRET,
  VIRTUAL_HOST,
} from "#pilot/cache/type-url.ts";
import type { TypeUrl } from "#pilot/cache/type-url.ts";
import {
  buildClusters,
  buildEndpoints,
  buildListeners,
  buildRoutes,
  buildSecrets,
} from "#pilot/envoy/build.ts";
import type { EnvoyResource, VirtualHostDelivery } from "#pilot/envoy/build.ts";
import type { IrProblem, ScopeIr } from "#pilot/ir/scope-ir.ts";
import type { IrList } from "#pilot/model/impact.ts";
import type { Hostname } from "#pilot/model/name.ts";
import type { PushContext } from "#pilot/model/push-context.ts";
import type { ProxyScope } from "#pilot/model/scope.ts";
import { visibleServices } from "#pilot/model/visible.ts";
import { endpointsOfService } from "#pilot/translate/endpoints.ts";
import { translateScope } from "#pilot/translate/translate.ts";

/** A resource that could not be encoded; the last good one, if any, is still served. */
export interface PushProblem extends IrProblem {
  readonly resource: string;
}

/** A part of the IR that is built and kept up to date as one, once someone asks for it. */
interface Part {
  readonly list: IrList;
  readonly tables: ReadonlyMap<TypeUrl, ResourceTable>;
  readonly build: (ir: ScopeIr) => EnvoyResource[];
  /** In a stable order; what hasn't changed is the same object. */
  built: readonly EnvoyResource[];
  /** By type and name. */
  readonly problems: Map<string, readonly PushProblem[]>;
}

const NO_IR: ScopeIr = {
  clusters: [],
  listeners: [],
  routes: [],
  endpoints: [],
  secrets: [],
  problems: [],
};

const TYPES: Readonly<Record<EnvoyResource["type"], TypeUrl>> = {
  cluster: CLUSTER,
  endpoint: ENDPOINTS,
  listener: LISTENER,
  route: ROUTES,
  "virtual-host": VIRTUAL_HOST,
  secret: SECRET,
  extension: EXTENSION_CONFIG,
};

type PartName =
  "clusters" | "endpoints" | "listeners" | "routes" | "routes with virtual hosts" | "secrets";

interface PartSpec {
  list: IrList;
  types: readonly TypeUrl[];
  build: (ir: ScopeIr) => EnvoyResource[];
}

/** A further type is a row here (and one of `TYPE_RULES`): where it comes from in the IR. */
const PARTS: Readonly<Record<PartName, PartSpec>> = {
  clusters: { list: "clusters", types: [CLUSTER], build: buildClusters },
  endpoints: { list: "endpoints", types: [ENDPOINTS], build: buildEndpoints },
  listeners: { list: "listeners", types: [LISTENER], build: buildListeners },
  routes: { list: "routes", types: [ROUTES], build: (ir) => buildRoutes(ir, "inline") },
  "routes with virtual hosts": {
    list: "routes",
    types: [ROUTES, VIRTUAL_HOST],
    build: (ir) => buildRoutes(ir, "discovered"),
  },
  secrets: { list: "secrets", types: [SECRET], build: buildSecrets },
};

const PART_OF_TYPE: ReadonlyMap<TypeUrl, PartName> = new Map(
  (Object.entries(PARTS) as [PartName, PartSpec][])
    .toReversed()
    .flatMap(([name, { types }]) => types.map((type): [TypeUrl, PartName] => [type, name])),
);

/**
 * One class of proxies: its translation and the tables of its resources. Parts are filled when the
 * first stream looks at them; from then on only what has changed is built and encoded.
 */
export class ScopeState {
  readonly scope: ProxyScope;
  readonly #interner: ResourceInterner;
  readonly #parts = new Map<PartName, Part>();
  /** Lists that an update has failed to bring up to date. */
  readonly #stale = new Set<IrList>();
  readonly #staleHosts = new Set<Hostname>();
  #ir: ScopeIr;

  constructor(context: PushContext, scope: ProxyScope, interner: ResourceInterner) {
    this.scope = scope;
    this.#interner = interner;
    this.#ir = translateScope(context, scope);
  }

  get ir(): ScopeIr {
    return this.#ir;
  }

  /** What couldn't be translated or encoded, of the parts that are in use. */
  problems(): readonly IrProblem[] {
    return [
      ...this.#ir.problems,
      ...[...this.#parts.values()].flatMap((part) => [...part.problems.values()].flat()),
    ];
  }

  /** Tables in use. */
  tables(): ResourceTable[] {
    return [...this.#parts.values()].flatMap((part) => [...part.tables.values()]);
  }

  /** The table of a type; undefined where the scope has none of it, or it travels inside others. */
  table(type: TypeUrl, virtualHosts: VirtualHostDelivery): ResourceTable | undefined {
    const name = partOf(type, virtualHosts);
    if (name === undefined) return undefined;
    let part = this.#parts.get(name);
    if (part === undefined) {
      part = newPart(name);
      this.#parts.set(name, part);
      this.#fill(part);
    }
    return part.tables.get(type);
  }

  /** Notes that these lists may differ from the world's newest state. */
  expire(lists: Iterable<IrList>): void {
    for (const list of lists) this.#stale.add(list);
  }

  /** Notes that endpoints of these hosts differ, and nothing else about them. */
  expireEndpoints(hosts: Iterable<Hostname>): void {
    for (const host of hosts) this.#staleHosts.add(host);
  }

  /** Brings what has expired to this world. True if any table changed. */
  update(context: PushContext): boolean {
    if (this.#stale.size === 0 && this.#staleHosts.size === 0) return false;
    this.#ir = translateScope(context, this.scope, this.#ir);
    let changed = false;
    const part = this.#parts.get("endpoints");
    if (part !== undefined && !this.#stale.has("endpoints")) {
      changed = this.#refreshEndpoints(part, context);
    }
    this.#staleHosts.clear();
    for (const part of this.#parts.values()) {
      if (this.#stale.has(part.list)) changed = this.#fill(part) || changed;
    }
    this.#stale.clear();
    return changed;
  }

  #fill(part: Part): boolean {
    return this.#replace(part, part.build(this.#ir));
  }

  #replace(part: Part, built: readonly EnvoyResource[]): boolean {
    const { gone, fresh } = difference(part.built, built);
    const put = new Map<TypeUrl, EncodedResource[]>();
    const remove = new Map<TypeUrl, string[]>();
    const present = new Set(fresh.map(keyOf));
    for (const old of gone) {
      part.problems.delete(keyOf(old));
      if (!present.has(keyOf(old))) append(remove, TYPES[old.type], old.name);
    }
    for (const resource of fresh) {
      const encoded = this.#encode(resource);
      if (!Array.isArray(encoded)) append(put, encoded.type, encoded);
      else if (encoded.length > 0) part.problems.set(keyOf(resource), encoded);
    }
    part.built = built;
    let changed = false;
    for (const [type, table] of part.tables) {
      changed = table.apply(put.get(type) ?? [], remove.get(type)) || changed;
    }
    return changed;
  }

  /** The short way: of thousands of assignments only those of the hosts concerned are looked at. */
  #refreshEndpoints(part: Part, context: PushContext): boolean {
    if (this.scope.kind !== "outbound") return false;
    const { byHost } = visibleServices(context, this.scope);
    const next = new Map<string, EnvoyResource>();
    for (const host of this.#staleHosts) {
      const service = byHost.get(host);
      if (service === undefined) continue;
      const endpoints = endpointsOfService(context, this.scope, service);
      for (const one of buildEndpoints({ ...NO_IR, endpoints })) next.set(one.name, one);
    }
    return this.#replace(
      part,
      part.built.map((one) => next.get(one.name) ?? one),
    );
  }

  /** Problems instead of a resource. */
  #encode(resource: EnvoyResource): EncodedResource | PushProblem[] {
    const type = TYPES[resource.type];
    const { name, message, origins } = resource;
    const result = this.#interner.encode({ type, name, message, origins });
    if (result.ok) return result.resource;
    const anywhere = origins.length > 0 ? origins : [{ object: "", path: "" }];
    return anywhere.flatMap((origin) =>
      result.problems.map((problem) => ({
        ...origin,
        severity: "error" as const,
        reason: "NotEncodable",
        message: `${resource.type} ${name}: ${problem.path} ${problem.message}`,
        resource: name,
      })),
    );
  }
}

/** Only routes come in two forms. */
function partOf(type: TypeUrl, virtualHosts: VirtualHostDelivery): PartName | undefined {
  if (type === ROUTES && virtualHosts === "discovered") return "routes with virtual hosts";
  if (type === VIRTUAL_HOST && virtualHosts === "inline") return undefined;
  return PART_OF_TYPE.get(type);
}

function newPart(name: PartName): Part {
  const { list, types, build } = PARTS[name];
  const tables = new Map(types.map((type) => [type, new ResourceTable(type)]));
  return { list, tables, build, built: [], problems: new Map() };
}

function keyOf(resource: EnvoyResource): string {
  return `${resource.type} ${resource.name}`;
}

/** What is only in one of two lists, which mostly begin and end alike. */
function difference(
  before: readonly EnvoyResource[],
  after: readonly EnvoyResource[],
): { gone: readonly EnvoyResource[]; fresh: readonly EnvoyResource[] } {
  const shorter = Math.min(before.length, after.length);
  let start = 0;
  while (start < shorter && before[start] === after[start]) start++;
  let end = 0;
  while (end < shorter - start && before.at(-1 - end) === after.at(-1 - end)) end++;
  const [left, right] = [before, after].map((list) => list.slice(start, list.length - end));
  const [old, current] = [new Set(left), new Set(right)];
  return {
    gone: [...old].filter((resource) => !current.has(resource)),
    fresh: [...current].filter((resource) => !old.has(resource)),
  };
}

function append<K, V>(lists: Map<K, V[]>, key: K, value: V): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [value]);
  else list.push(value);
}
