/** A patch of an EnvoyFilter, read once: checked, with its value in protobuf's plain JSON form. */

import type { Origin } from "#pilot/ir/origin.ts";
import type { IrProblem } from "#pilot/ir/scope-ir.ts";
import type { JsonObject } from "#pilot/proto/json.ts";

export type ApplyTo =
  | "LISTENER"
  | "LISTENER_FILTER"
  | "FILTER_CHAIN"
  | "NETWORK_FILTER"
  | "HTTP_FILTER"
  | "ROUTE_CONFIGURATION"
  | "VIRTUAL_HOST"
  | "HTTP_ROUTE"
  | "CLUSTER"
  | "EXTENSION_CONFIG";

export type Operation =
  | "MERGE"
  | "MERGE_AND_REPLACE_LIST"
  | "ADD"
  | "REMOVE"
  | "INSERT_BEFORE"
  | "INSERT_AFTER"
  | "INSERT_FIRST"
  | "REPLACE";

/** What a scope is to patches: exactly one part of a proxy's configuration. */
export type PatchContext = "SIDECAR_INBOUND" | "SIDECAR_OUTBOUND" | "GATEWAY";

export interface ListenerMatch {
  readonly name?: string;
  readonly portNumber?: number;
  readonly listenerFilter?: string;
  readonly filterChain?: {
    readonly name?: string;
    readonly sni?: string;
    readonly transportProtocol?: string;
    readonly applicationProtocols?: string;
    readonly destinationPort?: number;
    readonly filter?: { readonly name?: string; readonly subFilter?: { readonly name?: string } };
  };
}

export interface RouteConfigurationMatch {
  readonly name?: string;
  readonly portNumber?: number;
  readonly portName?: string;
  readonly gateway?: string;
  readonly vhost?: {
    readonly name?: string;
    readonly domainName?: string;
    readonly route?: { readonly name?: string; readonly action?: string };
  };
}

export interface ClusterMatch {
  readonly name?: string;
  readonly service?: string;
  readonly subset?: string;
  readonly portNumber?: number;
}

export interface Patch {
  /** `spec.configPatches[i]` of its filter. */
  readonly origin: Origin;
  readonly applyTo: ApplyTo;
  readonly operation: Operation;
  readonly context: PatchContext | "ANY";
  readonly listener?: ListenerMatch;
  readonly route?: RouteConfigurationMatch;
  readonly cluster?: ClusterMatch;
  /** Empty where something is removed. */
  readonly value: JsonObject;
}

/** The patches of a scope, in the order in which they are made; the same object while they are. */
export interface PatchSet {
  readonly context: PatchContext;
  readonly patches: ReadonlyMap<ApplyTo, readonly Patch[]>;
  /** Of a gateway: ports of services that lead to a port of the workload. */
  readonly servicePorts: ReadonlyMap<number, ReadonlySet<number>>;
}

/** One resource under the patches: what had an effect on it, and what could not have one. */
export interface Pass {
  readonly set: PatchSet;
  readonly touched: Set<Patch>;
  readonly problems: IrProblem[];
}

/** The patches for a kind of thing that are about this part of the configuration. */
export function patchesTo(set: PatchSet, applyTo: ApplyTo): readonly Patch[] {
  return set.patches.get(applyTo) ?? [];
}

export function isMerge(patch: Patch): boolean {
  return patch.operation === "MERGE" || patch.operation === "MERGE_AND_REPLACE_LIST";
}

/** The patch has no effect at this place. */
export function cannot(pass: Pass, patch: Patch, message: string): void {
  const { object, path } = patch.origin;
  const reason = "PatchNotApplied";
  pass.problems.push({ object, path: `${path}.patch`, severity: "error", reason, message });
}

/** How the value of a patch is merged. */
export function optionsOf(patch: Patch): { replaceLists: boolean } {
  return { replaceLists: patch.operation === "MERGE_AND_REPLACE_LIST" };
}
