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
  buildEndpoints,
  buildListeners,
  buildRoutes,
  buildSecrets,
  clusterResource,
  endpointResource,
  listenerResource,
  routeResource,
  secretResource,
  virtualHostResource,
} from "#pilot/envoy/build.ts";
import type { ClientForm, EnvoyResource } from "#pilot/envoy/build.ts";
import {
  buildGrpcClusters,
  buildGrpcEndpoints,
  buildGrpcListeners,
  buildGrpcRoutes,
} from "#pilot/envoy/grpc.ts";
import { arePatchedAlone, patchResources } from "#pilot/envoy/patch/apply.ts";
import type { PatchSet } from "#pilot/envoy/patch/patch.ts";
import type { Cluster } from "#pilot/ir/cluster.ts";
import type { IrProblem, ScopeIr } from "#pilot/ir/scope-ir.ts";
import { joinExtents } from "#pilot/model/extent.ts";
import type { Extent } from "#pilot/model/extent.ts";
import type { IrList } from "#pilot/model/impact.ts";
import type { PushContext } from "#pilot/model/push-context.ts";
import type { ProxyScope } from "#pilot/model/scope.ts";
import { ScopeTranslation } from "#pilot/translate/translate.ts";
import type { IrChanges } from "#pilot/translate/translate.ts";
import type { NodeChanges } from "#pilot/translate/keyed-list.ts";
import type { RouteChanges } from "#pilot/translate/route-list.ts";
import { patchesOf } from "./scope-patches.ts";
import { UnpatchedForms } from "./unpatched-forms.ts";

/** A resource that could not be encoded; the last good one, if any, is still served. */
export interface PushProblem extends IrProblem {
  readonly resource: string;
}

/** A part of the IR that is built and kept up to date as one, once someone asks for it. */
interface Part {
  readonly list: IrList;
  readonly tables: ReadonlyMap<TypeUrl, ResourceTable>;
  readonly build: (ir: ScopeIr) => EnvoyResource[];
  readonly pick: PartSpec["pick"];
  readonly form: ClientForm | undefined;
  /** By type and name. */
  readonly problems: Map<string, readonly PushProblem[]>;
  readonly unpatched: UnpatchedForms;
  /** Of patches that could not be made. */
  patchProblems: readonly IrProblem[];
}

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
  | "clusters"
  | "clusters on demand"
  | "endpoints"
  | "listeners"
  | "routes"
  | "routes with virtual hosts"
  | "secrets"
  | "extensions"
  | GrpcPartName;

type GrpcPartName = "grpc clusters" | "grpc endpoints" | "grpc listeners" | "grpc routes";

/** Resources that are no longer there, and those that are new or others; a changed one is in both. */
interface ResourceChanges {
  readonly gone: readonly EnvoyResource[];
  readonly fresh: readonly EnvoyResource[];
}

interface PartSpec {
  list: IrList;
  types: readonly TypeUrl[];
  /** All resources. */
  build: (ir: ScopeIr) => EnvoyResource[];
  /** Those of changed nodes; undefined where everything is built again. */
  pick: (changes: IrChanges) => ResourceChanges | undefined;
  /** Its resources go to those who name them. */
  onDemand?: true;
  /** The clients that it is for, where it isn't for all. */
  form?: ClientForm;
}

/** A further type is a row here (and one of `TYPE_RULES`): where it comes from in the IR. */
const PARTS: Readonly<Record<PartName, PartSpec>> = {
  clusters: clusterPart((cluster) => cluster.onDemand === undefined),
  "clusters on demand": {
    ...clusterPart((cluster) => cluster.onDemand !== undefined),
    onDemand: true,
  },
  endpoints: {
    list: "endpoints",
    types: [ENDPOINTS],
    build: buildEndpoints,
    pick: ({ endpoints }) => endpoints && resourcesOf(endpoints, (one) => endpointResource(one)),
  },
  listeners: {
    list: "listeners",
    types: [LISTENER],
    build: buildListeners,
    pick: ({ listeners }) => listeners && resourcesOf(listeners, (one) => listenerResource(one)),
  },
  // A changed virtual host makes another message of the whole configuration.
  routes: {
    list: "routes",
    types: [ROUTES],
    build: (ir) => buildRoutes(ir, "inline"),
    pick: () => undefined,
  },
  "routes with virtual hosts": {
    list: "routes",
    types: [ROUTES, VIRTUAL_HOST],
    build: (ir) => buildRoutes(ir, "discovered"),
    pick: ({ routes }) => routes && changedRoutes(routes),
  },
  secrets: {
    list: "secrets",
    types: [SECRET],
    build: buildSecrets,
    pick: ({ secrets }) => secrets && resourcesOf(secrets, (one) => secretResource(one)),
  },
  ...grpcParts(),
  // Only patches make any.
  extensions: {
    list: "listeners",
    types: [EXTENSION_CONFIG],
    build: () => [],
    pick: () => undefined,
  },
};

function clusterPart(belongs: (cluster: Cluster) => boolean): PartSpec {
  return {
    list: "clusters",
    types: [CLUSTER],
    build: (ir) => ir.clusters.filter(belongs).map((one) => clusterResource(one)),
    pick({ clusters }) {
      if (clusters === undefined) return undefined;
      const gone = clusters.gone.filter(belongs);
      const fresh = clusters.fresh.filter(belongs);
      return resourcesOf({ gone, fresh }, (one) => clusterResource(one));
    },
  };
}

/** Patches are about Envoy's filters; few clients are without one, so parts are made anew. */
function grpcParts(): Record<GrpcPartName, PartSpec> {
  const part = (list: IrList, type: TypeUrl, build: PartSpec["build"]): PartSpec => ({
    list,
    types: [type],
    build,
    pick: () => undefined,
    form: "grpc",
  });
  return {
    "grpc clusters": part("clusters", CLUSTER, buildGrpcClusters),
    "grpc endpoints": part("endpoints", ENDPOINTS, buildGrpcEndpoints),
    "grpc listeners": part("listeners", LISTENER, buildGrpcListeners),
    "grpc routes": part("routes", ROUTES, buildGrpcRoutes),
  };
}

function resourcesOf<N>(
  { gone, fresh }: NodeChanges<N>,
  build: (node: N) => EnvoyResource,
): ResourceChanges {
  return { gone: gone.map(build), fresh: fresh.map(build) };
}

function changedRoutes({ configurations, hosts }: RouteChanges): ResourceChanges {
  const frames = resourcesOf(configurations, (one) => routeResource(one));
  const inside = resourcesOf(hosts, ({ route, host }) => virtualHostResource(host, route));
  return {
    gone: [...frames.gone, ...inside.gone],
    fresh: [...frames.fresh, ...inside.fresh],
  };
}

const RESOURCE_TYPES: ReadonlyMap<TypeUrl, EnvoyResource["type"]> = new Map(
  (Object.entries(TYPES) as [EnvoyResource["type"], TypeUrl][]).map(([name, type]) => [type, name]),
);

const PART_OF_TYPE = partsByType(undefined);
const GRPC_PART_OF_TYPE = partsByType("grpc");

function partsByType(form: ClientForm | undefined): ReadonlyMap<TypeUrl, PartName> {
  const parts = (Object.entries(PARTS) as [PartName, PartSpec][]).toReversed();
  return new Map(
    parts
      .filter(([, part]) => part.form === form && part.onDemand === undefined)
      .flatMap(([name, { types }]) => types.map((type): [TypeUrl, PartName] => [type, name])),
  );
}

/**
 * One class of proxies: its translation and the tables of its resources. Parts are filled when the
 * first stream looks at them; from then on only what has changed is built and encoded.
 */
export class ScopeState {
  readonly scope: ProxyScope;
  readonly #interner: ResourceInterner;
  readonly #parts = new Map<PartName, Part>();
  /** What no update has brought up to date yet. */
  readonly #stale = new Map<IrList, Extent>();
  readonly #ir: ScopeTranslation;
  /** Whether an update has failed since the last that hasn't. */
  #failed = false;
  #patches: PatchSet | undefined;

  constructor(context: PushContext, scope: ProxyScope, interner: ResourceInterner) {
    this.scope = scope;
    this.#interner = interner;
    this.#ir = new ScopeTranslation(context, scope);
    this.#patches = patchesOf(context, scope);
  }

  get ir(): ScopeIr {
    return this.#ir;
  }

  /** What couldn't be translated or encoded, of the parts that are in use. */
  problems(): readonly IrProblem[] {
    return [
      ...this.#ir.problems,
      ...[...this.#parts.values()].flatMap((part) => [
        ...[...part.problems.values()].flat(),
        ...part.patchProblems,
      ]),
    ];
  }

  /** Tables in use. */
  tables(): ResourceTable[] {
    return [...this.#parts.values()].flatMap((part) => [...part.tables.values()]);
  }

  /** The table of a type; undefined where the scope has none of it, or it travels inside others. */
  table(type: TypeUrl, form: ClientForm): ResourceTable | undefined {
    const name = partOf(type, form);
    return name === undefined ? undefined : this.#tableOf(name, type);
  }

  /** The table of what a type's clients have to name; undefined where there is nothing like it. */
  tableOnDemand(type: TypeUrl): ResourceTable | undefined {
    if (type !== CLUSTER || this.scope.kind !== "outbound") return undefined;
    return this.scope.isOnDemand && this.#tableOf("clusters on demand", type);
  }

  #tableOf(name: PartName, type: TypeUrl): ResourceTable | undefined {
    let part = this.#parts.get(name);
    if (part === undefined) {
      part = newPart(name);
      this.#parts.set(name, part);
      this.#fill(part);
    }
    return part.tables.get(type);
  }

  /** What patches have changed, without them; undefined for what they haven't. */
  unpatched(type: TypeUrl, name: string, form: ClientForm): EncodedResource | undefined {
    const part = this.#parts.get(partOf(type, form) ?? "extensions");
    const key = keyOf({ type: RESOURCE_TYPES.get(type) ?? "cluster", name });
    const resource = part?.unpatched.use(key);
    return resource && this.#encode(resource).encoded;
  }

  /** Notes that these lists may differ from the world's newest state, and where in them. */
  expire(lists: Iterable<IrList>, extent: Extent): void {
    for (const list of lists) this.#stale.set(list, joinExtents(this.#stale.get(list), extent));
  }

  /** Brings what has expired to this world. True if any table changed. */
  update(context: PushContext): boolean {
    if (this.#stale.size === 0) return false;
    const patches = patchesOf(context, this.scope);
    const whole = this.#failed || patches !== this.#patches;
    this.#patches = patches;
    this.#failed = true;
    const changes = this.#ir.update(context, this.#stale);
    let changed = false;
    for (const part of this.#parts.values()) {
      if (!this.#stale.has(part.list)) continue;
      const picked = whole ? undefined : this.#patched(part, part.pick(changes));
      changed = (picked === undefined ? this.#fill(part) : this.#apply(part, picked)) || changed;
    }
    this.#failed = false;
    this.#stale.clear();
    return changed;
  }

  /** Makes a part's tables exactly what is built now. */
  #fill(part: Part): boolean {
    const built = part.build(this.#ir);
    if (this.#patches === undefined || part.form === "grpc") return this.#replace(part, built);
    const types = [...part.tables.keys()].flatMap((type) => RESOURCE_TYPES.get(type) ?? []);
    const { resources, problems } = patchResources(built, this.#patches, types);
    part.patchProblems = problems;
    return this.#replace(part, resources);
  }

  /** Each under the patches; undefined where all have to be looked at together. */
  #patched(part: Part, picked: ResourceChanges | undefined): ResourceChanges | undefined {
    const patches = this.#patches;
    if (picked === undefined || patches === undefined || part.form === "grpc") return picked;
    if (part.patchProblems.length > 0) return undefined;
    if (![picked.gone, picked.fresh].every((list) => arePatchedAlone(list, patches))) {
      return undefined;
    }
    const fresh = patchResources(picked.fresh, patches, []);
    part.patchProblems = fresh.problems;
    return { gone: patchResources(picked.gone, patches, []).resources, fresh: fresh.resources };
  }

  #replace(part: Part, built: readonly EnvoyResource[]): boolean {
    part.problems.clear();
    if ([...part.tables.values()].every((table) => table.size === 0)) {
      return this.#apply(part, { gone: [], fresh: built });
    }
    const present = new Set(built.map(keyOf));
    const gone = [...part.tables].flatMap(([type, table]) =>
      [...table.names()].flatMap((name) => {
        const resource = { type: RESOURCE_TYPES.get(type) ?? "cluster", name };
        return present.has(keyOf(resource)) ? [] : [resource];
      }),
    );
    return this.#apply(part, { gone, fresh: built });
  }

  /** Takes away and puts; what can't be encoded stays as it was. */
  #apply(
    part: Part,
    { gone, fresh }: { gone: readonly Named[]; fresh: readonly EnvoyResource[] },
  ): boolean {
    const put = new Map<TypeUrl, EncodedResource[]>();
    const remove = new Map<TypeUrl, string[]>();
    const present = new Set(gone.length === 0 ? [] : fresh.map(keyOf));
    const others: EnvoyResource[] = [];
    for (const old of gone) {
      part.problems.delete(keyOf(old));
      if (!present.has(keyOf(old))) part.unpatched.delete(keyOf(old));
      if (!present.has(keyOf(old))) append(remove, TYPES[old.type], old.name);
    }
    for (const resource of fresh) {
      const { encoded, problems } = this.#encode(resource);
      if (encoded !== undefined) append(put, encoded.type, encoded);
      if (problems.length > 0) part.problems.set(keyOf(resource), problems);
      if (part.unpatched.keep(keyOf(resource), resource)) others.push(resource);
    }
    let changed = false;
    for (const [type, table] of part.tables) {
      changed = table.apply(put.get(type) ?? [], remove.get(type)) || changed;
    }
    for (const { type, name } of others) part.tables.get(TYPES[type])?.touch(name);
    return changed || others.length > 0;
  }

  /** Problems instead of a resource; what patches have spoilt is served without them. */
  #encode(resource: EnvoyResource): {
    encoded?: EncodedResource;
    problems: readonly PushProblem[];
  } {
    const type = TYPES[resource.type];
    const { name, message, origins, unpatched } = resource;
    const isPatched = unpatched?.resource.name === name;
    const input = { type, name, message, origins, ...(isPatched && { isPatched: true as const }) };
    const result = this.#interner.encode(input);
    if (result.ok) return { encoded: result.resource, problems: [] };
    const blamed = unpatched?.patchedBy ?? origins;
    const anywhere = blamed.length > 0 ? blamed : [{ object: "", path: "" }];
    const problems = anywhere.flatMap((origin) =>
      result.problems.map((problem) => ({
        ...origin,
        severity: "error" as const,
        reason: "NotEncodable",
        message: `${resource.type} ${name}: ${problem.path} ${problem.message}`,
        resource: name,
      })),
    );
    return unpatched === undefined
      ? { problems }
      : { ...this.#encode(unpatched.resource), problems };
  }
}

/** For proxies, only routes come in two forms. */
function partOf(type: TypeUrl, form: ClientForm): PartName | undefined {
  if (form === "grpc") return GRPC_PART_OF_TYPE.get(type);
  if (type === ROUTES && form === "discovered") return "routes with virtual hosts";
  if (type === VIRTUAL_HOST && form === "inline") return undefined;
  return PART_OF_TYPE.get(type);
}

function newPart(name: PartName): Part {
  const { list, types, build, pick, form, onDemand } = PARTS[name];
  const tables = new Map(types.map((type) => [type, new ResourceTable(type, { onDemand })]));
  return {
    list,
    tables,
    build,
    pick,
    form,
    problems: new Map(),
    unpatched: new UnpatchedForms(),
    patchProblems: [],
  };
}

type Named = Pick<EnvoyResource, "type" | "name">;

function keyOf(resource: Named): string {
  return `${resource.type} ${resource.name}`;
}

function append<K, V>(lists: Map<K, V[]>, key: K, value: V): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [value]);
  else list.push(value);
}
