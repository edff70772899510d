/** Resources under the patches of their scope: a step of its own between building and encoding. */

import type { EnvoyResource, EnvoyResourceType } from "#pilot/envoy/build.ts";
import { mergeOrigins } from "#pilot/ir/origin.ts";
import type { IrProblem } from "#pilot/ir/scope-ir.ts";
import type { JsonObject } from "#pilot/proto/json.ts";
import { patchCluster } from "./cluster.ts";
import { textIn } from "./fields.ts";
import { patchListener } from "./listener.ts";
import { type ApplyTo, type Pass, type Patch, type PatchSet, patchesTo } from "./patch.ts";
import {
  addedVirtualHosts,
  patchRouteConfiguration,
  patchRouteFrame,
  patchVirtualHost,
} from "./route.ts";

export interface Patched {
  readonly resources: readonly EnvoyResource[];
  readonly problems: readonly IrProblem[];
}

/**
 * The resources with all patches made, and those of these types that patches add. What no patch
 * touches is the same object; a resource is patched once for as long as it and the set are.
 */
export function patchResources(
  resources: readonly EnvoyResource[],
  set: PatchSet,
  types: readonly EnvoyResourceType[],
): Patched {
  const made = resources.map((resource) => patchResource(set, resource));
  const patched = made.flatMap((one) => one.resources);
  const problems = made.flatMap((one) => one.problems);
  for (const type of types) {
    const added = addedResources(set, type);
    if (added.length === 0) continue;
    const names = new Set(patched.filter((one) => one.type === type).map((one) => one.name));
    for (const resource of added.toReversed()) {
      if (names.has(resource.name)) problems.push(...doubled(resource));
      else patched.push(resource);
      names.add(resource.name);
    }
  }
  return { resources: patched, problems };
}

/**
 * Whether these can be patched without looking at the others of their types: unless one has the name
 * of a resource that a patch adds.
 */
export function arePatchedAlone(resources: readonly EnvoyResource[], set: PatchSet): boolean {
  return resources.every((resource) =>
    addedResources(set, resource.type).every((one) => one.name !== resource.name),
  );
}

const memory = new WeakMap<PatchSet, WeakMap<EnvoyResource, Patched>>();

function patchResource(set: PatchSet, resource: EnvoyResource): Patched {
  let ofSet = memory.get(set);
  if (ofSet === undefined) {
    ofSet = new WeakMap();
    memory.set(set, ofSet);
  }
  let patched = ofSet.get(resource);
  if (patched === undefined) {
    const pass: Pass = { set, touched: new Set(), problems: [] };
    patched = { resources: resultOf(pass, resource), problems: pass.problems };
    ofSet.set(resource, patched);
  }
  return patched;
}

function resultOf(pass: Pass, resource: EnvoyResource): readonly EnvoyResource[] {
  const message = resource.message as JsonObject;
  switch (resource.type) {
    case "cluster":
      return changed(pass, resource, patchCluster(pass, message));
    case "listener":
      return changed(pass, resource, patchListener(pass, message));
    case "route":
      return message["vhds"] === undefined
        ? changed(pass, resource, patchRouteConfiguration(pass, message))
        : vhdsRoute(pass, resource, message);
    case "virtual-host":
      return virtualHost(pass, resource, message);
    case "endpoint":
    case "secret":
    case "extension":
      return [resource];
  }
}

function changed(
  pass: Pass,
  resource: EnvoyResource,
  message: JsonObject | undefined,
): readonly EnvoyResource[] {
  if (message === undefined) return [];
  if (message === resource.message) return [resource];
  return [
    {
      ...resource,
      name: textIn(message, "name") || resource.name,
      message,
      ...provenance(pass.touched, resource),
    },
  ];
}

/** Origins of both, and the way back for what turns out to be unusable. */
function provenance(
  touched: ReadonlySet<Patch>,
  unpatched: EnvoyResource,
): Pick<EnvoyResource, "origins" | "unpatched"> {
  const patchedBy = [...touched].map((patch) => patch.origin);
  return {
    origins: mergeOrigins(unpatched.origins, patchedBy),
    unpatched: { resource: unpatched, patchedBy },
  };
}

/** Hosts that are added to a configuration whose hosts travel alone, travel alone. */
function vhdsRoute(
  pass: Pass,
  resource: EnvoyResource,
  message: JsonObject,
): readonly EnvoyResource[] {
  const frame = changed(pass, resource, patchRouteFrame(pass, message));
  const hosts = addedVirtualHosts({ ...pass, touched: new Set() }, resource.name);
  const origins = patchesTo(pass.set, "VIRTUAL_HOST")
    .filter((patch) => hosts.includes(patch.value))
    .map((patch) => patch.origin);
  return [...frame, ...hosts.map((host) => hostResource(resource.name, host, origins))];
}

function hostResource(
  routeName: string,
  host: JsonObject,
  origins: EnvoyResource["origins"],
): EnvoyResource {
  const name = `${routeName}/${textIn(host, "name")}`;
  return { type: "virtual-host", name, message: { ...host, name }, origins };
}

/** Patches name the host as it is called inside its configuration. */
function virtualHost(
  pass: Pass,
  resource: EnvoyResource,
  message: JsonObject,
): readonly EnvoyResource[] {
  const at = resource.name.indexOf("/");
  const [routeName, name] = [resource.name.slice(0, at), resource.name.slice(at + 1)];
  const host: JsonObject = { ...message, name };
  const patched = patchVirtualHost(pass, routeName, host);
  if (patched === undefined) return [];
  if (patched === host) return [resource];
  const after = hostResource(routeName, patched, resource.origins);
  return [{ ...after, ...provenance(pass.touched, resource) }];
}

const ADDS: ReadonlyMap<EnvoyResourceType, ApplyTo> = new Map([
  ["cluster", "CLUSTER"],
  ["listener", "LISTENER"],
  ["extension", "EXTENSION_CONFIG"],
]);

const added = new WeakMap<Patch, EnvoyResource>();

/**
 * Whole resources; those that aren't meant for a side in particular go to clients and gateways (as
 * in Istio).
 */
function addedResources(set: PatchSet, type: EnvoyResourceType): EnvoyResource[] {
  const applyTo = ADDS.get(type);
  if (applyTo === undefined) return [];
  const isServer = set.context === "SIDECAR_INBOUND";
  return patchesTo(set, applyTo)
    .filter((patch) => patch.operation === "ADD" && !(patch.context === "ANY" && isServer))
    .map((patch) => {
      let resource = added.get(patch);
      if (resource === undefined) {
        const name = textIn(patch.value, "name");
        resource = { type, name, message: patch.value, origins: [patch.origin] };
        added.set(patch, resource);
      }
      return resource;
    });
}

/** The last patch wins, and what is there already wins over all. */
function doubled({ type, name, origins }: EnvoyResource): IrProblem[] {
  return origins.map(({ object, path }) => ({
    object,
    path: `${path}.patch.value.name`,
    severity: "error",
    reason: "PatchNotApplied",
    message: `there is another ${type} ${name}`,
  }));
}
