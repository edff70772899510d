/** The parts of a scope's configuration: where each comes from in the IR, and who gets it. */

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
import type { Cluster } from "#pilot/ir/cluster.ts";
import type { ScopeIr } from "#pilot/ir/scope-ir.ts";
import type { IrList } from "#pilot/model/impact.ts";
import type { NodeChanges } from "#pilot/translate/keyed-list.ts";
import type { RouteChanges } from "#pilot/translate/route-list.ts";
import type { IrChanges } from "#pilot/translate/translate.ts";

/** The type URL of each kind of resource. */
export const TYPES: Readonly<Record<EnvoyResource["type"], TypeUrl>> = {
  cluster: CLUSTER,
  endpoint: ENDPOINTS,
  listener: LISTENER,
  route: ROUTES,
  "virtual-host": VIRTUAL_HOST,
  secret: SECRET,
  extension: EXTENSION_CONFIG,
};

/** Each is built when someone first asks for it. */
export type PartName =
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
export interface ResourceChanges {
  readonly gone: readonly EnvoyResource[];
  readonly fresh: readonly EnvoyResource[];
}

/** What a part is made of. */
export interface PartSpec {
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
export const PARTS: Readonly<Record<PartName, PartSpec>> = {
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

/** And the kind of resource of each type URL. */
export const RESOURCE_TYPES: ReadonlyMap<TypeUrl, EnvoyResource["type"]> = new Map(
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

/** For proxies, only routes come in two forms. */
export function partOf(type: TypeUrl, form: ClientForm): PartName | undefined {
  if (form === "grpc") return GRPC_PART_OF_TYPE.get(type);
  if (type === ROUTES && form === "discovered") return "routes with virtual hosts";
  if (type === VIRTUAL_HOST && form === "inline") return undefined;
  return PART_OF_TYPE.get(type);
}
