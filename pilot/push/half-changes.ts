import { keyOfChange } from "#pilot/model/change.ts";
import type { Change } from "#pilot/model/change.ts";
import { resolveHost } from "#pilot/model/name.ts";
import type { Hostname, ObjectKey } from "#pilot/model/name.ts";
import type { VirtualService } from "#pilot/model/object.ts";
import { coveringKeys, lookup } from "#pilot/model/object-index.ts";
import { hostsOf, objectOf, updatePushContext } from "#pilot/model/push-context.ts";
import type { PushContext } from "#pilot/model/push-context.ts";

/** How long a change waits for the other half; what waits would answer 503 if it didn't. */
const PATIENCE_MS = 250;
/** In a batch larger than this nothing waits: finding out would cost more. */
const MAX_EXAMINED = 256;

interface Held {
  readonly change: Change;
  readonly since: number;
}

/**
 * Holds changes back that would leave a route without the subset it names. `kubectl apply` sends the
 * objects of a file one after the other, in the order of the file: a VirtualService may come some
 * milliseconds before the DestinationRule with its subset, or after the one that takes the old
 * subset away. All other changes pass.
 */
export class HalfChanges {
  readonly #held = new Map<ObjectKey, Held>();

  /** When the first of those that wait need to go on; undefined when none waits. */
  get dueMs(): number | undefined {
    if (this.#held.size === 0) return undefined;
    return Math.min(...[...this.#held.values()].map(({ since }) => since)) + PATIENCE_MS;
  }

  /** What may take effect now: of the batch, and of what has waited. The last change of an object counts. */
  admit(batch: readonly Change[], previous: PushContext, now: number): readonly Change[] {
    const waiting = new Map<ObjectKey, Held>(this.#held);
    for (const change of batch) {
      const key = keyOfChange(change);
      waiting.set(key, { change, since: waiting.get(key)?.since ?? now });
    }
    this.#held.clear();
    let ready = [...waiting.values()];
    const concerned = ready.some(({ change }) => isRoutingRule(change));
    if (!concerned || ready.length > MAX_EXAMINED) return ready.map(({ change }) => change);
    // Without the one that waits another may be incomplete; each round takes one out at least.
    for (;;) {
      const next = updatePushContext(
        previous,
        ready.map(({ change }) => change),
      );
      const halves = ready.filter(
        ({ change, since }) => now - since < PATIENCE_MS && isHalf(change, previous, next),
      );
      if (halves.length === 0) return ready.map(({ change }) => change);
      for (const half of halves) this.#held.set(keyOfChange(half.change), half);
      ready = ready.filter((one) => !halves.includes(one));
    }
  }
}

function isRoutingRule(change: Change): boolean {
  return /^(VirtualService|DestinationRule)\//.test(keyOfChange(change));
}

/** Whether a route names a subset that isn't there, because of this change. */
function isHalf(change: Change, previous: PushContext, next: PushContext): boolean {
  const key = keyOfChange(change);
  const before = objectOf(previous, key);
  const after = objectOf(next, key);
  if (after?.kind === "VirtualService") {
    return subsetsNamedBy(after, next).some(([host, name]) => !hasSubset(next, host, name));
  }
  if (before?.kind !== "DestinationRule") return false;
  const names = new Set((before.spec.subsets ?? []).map((subset) => subset.name));
  return hostsOf(before, next.mesh.clusterDomain).some((host) =>
    lookup(next.indexes.virtualServicesByDestination, host).some((rule) =>
      subsetsNamedBy(rule, next).some(
        ([to, name]) => to === host && names.has(name) && !hasSubset(next, host, name),
      ),
    ),
  );
}

function subsetsNamedBy(rule: VirtualService, { mesh }: PushContext): [Hostname, string][] {
  const { http = [], tls = [], tcp = [] } = rule.spec;
  return [...http, ...tls, ...tcp].flatMap(({ route = [] }) =>
    route.flatMap(({ destination }): [Hostname, string][] =>
      destination?.subset === undefined || destination.subset === ""
        ? []
        : [[resolveHost(destination.host, rule.namespace, mesh.clusterDomain), destination.subset]],
    ),
  );
}

/** By any rule, whoever sees it: which one applies is translation's business. */
function hasSubset({ indexes }: PushContext, host: Hostname, name: string): boolean {
  return coveringKeys(indexes.destinationRulesByHost, host).some((pattern) =>
    lookup(indexes.destinationRulesByHost, pattern).some((rule) =>
      (rule.spec.subsets ?? []).some((subset) => subset.name === name),
    ),
  );
}
