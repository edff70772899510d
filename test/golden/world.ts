/** Worlds in YAML: platform objects and one proxy, as the tests' cases are written. */

import { readFileSync } from "node:fs";
import { loadAll } from "js-yaml";
import type { KubeObject } from "#cluster/api/meta.ts";
import { type EnvoyResource, buildResources } from "#pilot/envoy/build.ts";
import { type Patched, patchResources } from "#pilot/envoy/patch/apply.ts";
import type { IrProblem, ScopeIr } from "#pilot/ir/scope-ir.ts";
import type { Change } from "#pilot/model/change.ts";
import { type Proxy, parseProxy } from "#pilot/model/proxy.ts";
import { type PushContext, createPushContext } from "#pilot/model/push-context.ts";
import { type ProxyScope, scopesOf } from "#pilot/model/scope.ts";
import { patchesOf, problemsOfFilters } from "#pilot/push/scope-patches.ts";
import { HttpRouteFeed } from "#pilot/config/http-route-feed.ts";
import { type PlatformEvent, Registry } from "#pilot/registry/registry.ts";
import { translateScope } from "#pilot/translate/translate.ts";

export interface World {
  readonly objects: readonly KubeObject[];
  readonly proxy: Proxy;
}

/** Reads a case; the document of kind `Proxy` is the node that asks, as it would say itself. */
export function readWorld(file: string): World {
  return parseWorld(readFileSync(file, "utf8"));
}

export function parseWorld(text: string): World {
  const documents = loadAll(text).filter((one) => one !== null && one !== undefined);
  const objects = documents as (KubeObject & { id?: unknown })[];
  const node = objects.find((one) => one.kind === "Proxy");
  if (node === undefined) throw new Error("the world has no document of kind Proxy");
  const parsed = parseProxy({ id: node.id, metadata: node.metadata, locality: node.locality });
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  return {
    objects: objects.filter((one) => one.kind !== "Proxy").map(withTextTimes),
    proxy: parsed.proxy,
  };
}

/** YAML reads an unquoted time as a date; the API has text. */
function withTextTimes(object: KubeObject): KubeObject {
  const time: unknown = object.metadata.creationTimestamp;
  if (!(time instanceof Date)) return object;
  return { ...object, metadata: { ...object.metadata, creationTimestamp: time.toISOString() } };
}

const CLUSTER = "lateen.dev/cluster";

/** An object with the annotation `lateen.dev/cluster` is in that further cluster. */
export function eventOf(object: KubeObject, type: PlatformEvent["type"] = "upsert"): PlatformEvent {
  const cluster = object.metadata.annotations?.[CLUSTER];
  return { type, object, ...(cluster === undefined ? {} : { cluster }) };
}

/** Objects as pilot's feed makes changes of them, Ingresses apart. */
export class WorldFeed {
  readonly #registry: Registry;
  readonly #routes = new HttpRouteFeed({ clusterDomain: "cluster.local" });

  constructor(registry: Registry = new Registry()) {
    this.#registry = registry;
  }

  initialChanges(): Change[] {
    return this.#registry.initialChanges();
  }

  handle(event: PlatformEvent): Change[] {
    const made = this.#registry.handle(event);
    return event.cluster === undefined ? [...made, ...this.#routes.handle(event)] : made;
  }

  problems(): IrProblem[] {
    return [...this.#registry.problems(), ...this.#routes.problems()];
  }
}

export function changesOf(
  objects: readonly KubeObject[],
  feed: Pick<WorldFeed, "initialChanges" | "handle"> = new WorldFeed(),
): Change[] {
  return [...feed.initialChanges(), ...objects.flatMap((object) => feed.handle(eventOf(object)))];
}

export function contextOf(
  objects: readonly KubeObject[],
  feed: Pick<WorldFeed, "initialChanges" | "handle"> = new WorldFeed(),
): PushContext {
  return createPushContext(changesOf(objects, feed));
}

/** Both scopes of the proxy as one: what it is told in all. */
export interface TranslatedProxy {
  readonly outbound: ScopeIr;
  readonly workload: ScopeIr;
}

export function translateFor(context: PushContext, proxy: Proxy): TranslatedProxy {
  const { outbound, workload } = scopesOf(context, proxy);
  return {
    outbound: translateScope(context, outbound),
    workload: translateScope(context, workload),
  };
}

/** Everything that Envoy is told, EnvoyFilters applied, with what is wrong with them. */
export function resourcesFor(context: PushContext, proxy: Proxy): Patched {
  const { outbound, workload } = scopesOf(context, proxy);
  const parts = [outbound, workload].map((scope) => patchedScope(context, scope));
  return {
    resources: parts.flatMap((part) => part.resources),
    problems: [...problemsOfFilters(context), ...parts.flatMap((part) => part.problems)],
  };
}

const ADDED_TYPES: readonly EnvoyResource["type"][] = ["cluster", "listener", "extension"];

function patchedScope(context: PushContext, scope: ProxyScope): Patched {
  const resources = buildResources(translateScope(context, scope));
  const patches = patchesOf(context, scope);
  if (patches === undefined) return { resources, problems: [] };
  return patchResources(resources, patches, ADDED_TYPES);
}

/** A plain value of everything, lists made; problems last, since lists make them. */
export function wholeIr({ outbound, workload }: TranslatedProxy): {
  clusters: ScopeIr["clusters"];
  listeners: ScopeIr["listeners"];
  routes: ScopeIr["routes"];
  endpoints: ScopeIr["endpoints"];
  secrets: ScopeIr["secrets"];
  problems: readonly IrProblem[];
} {
  return {
    clusters: [...outbound.clusters, ...workload.clusters],
    listeners: [...outbound.listeners, ...workload.listeners],
    routes: [...outbound.routes, ...workload.routes],
    endpoints: outbound.endpoints,
    secrets: [...outbound.secrets, ...workload.secrets],
    problems: [...outbound.problems, ...workload.problems],
  };
}
