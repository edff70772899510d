/** What pods ask for and what nodes have, as numbers (cpu in millicores, the rest in units). */

import type { Container, Node, Pod } from "#cluster/api/generated/core-v1.ts";
import { parseQuantity } from "#cluster/api/quantity.ts";

/** Resource name → amount. */
export type Amounts = ReadonlyMap<string, number>;

const NANO = 1_000_000_000;

/** Parsing costs more than all else in a decision; a pod's object never changes. */
const known = new WeakMap<Pod, Amounts>();

/** A pod's effective request (`PodRequests`): init containers run before, sidecars beside. */
export function podRequests(pod: Pod): Amounts {
  const requests = known.get(pod) ?? computeRequests(pod);
  known.set(pod, requests);
  return requests;
}

function computeRequests(pod: Pod): Map<string, number> {
  const { containers = [], initContainers = [], overhead } = pod.spec ?? {};
  const running = new Map<string, number>();
  for (const container of containers) add(running, requestsOf(container));
  const peak = new Map<string, number>();
  const sidecars = new Map<string, number>();
  for (const container of initContainers) {
    if (container.restartPolicy === "Always") {
      add(sidecars, requestsOf(container));
      raise(peak, sidecars);
    } else {
      const during = new Map(sidecars);
      add(during, requestsOf(container));
      raise(peak, during);
    }
  }
  add(running, sidecars);
  raise(running, peak);
  add(running, parseAmounts(overhead));
  return running;
}

export function allocatableOf(node: Node): Map<string, number> {
  return parseAmounts(node.status?.allocatable ?? node.status?.capacity);
}

/** Adds all of `more` to `total`. */
export function add(total: Map<string, number>, more: Amounts): void {
  for (const [name, amount] of more) total.set(name, (total.get(name) ?? 0) + amount);
}

function raise(total: Map<string, number>, least: Amounts): void {
  for (const [name, amount] of least) total.set(name, Math.max(total.get(name) ?? 0, amount));
}

/** A limit without a request is a request; the server defaults it, other writers may not. */
function requestsOf({ resources }: Container): Map<string, number> {
  return parseAmounts({ ...resources?.limits, ...resources?.requests });
}

/** What can't be parsed counts as nothing: the API server has validated it. */
function parseAmounts(quantities: Record<string, string> | undefined): Map<string, number> {
  const amounts = new Map<string, number>();
  for (const [name, text] of Object.entries(quantities ?? {})) {
    const quantity = parseQuantity(text);
    if (!quantity.ok) continue;
    const units = Number(quantity.value) / NANO;
    amounts.set(name, name === "cpu" ? Math.ceil(units * 1_000) : Math.ceil(units));
  }
  return amounts;
}
