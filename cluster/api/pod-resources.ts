/** What pods ask for and what nodes have, as numbers (cpu in millicores, the rest in units). */

import type { Container, Node, Pod } from "#cluster/api/generated/core-v1.ts";
import { parseQuantity } from "#cluster/api/quantity.ts";

/** Resource name → amount. */
export type Amounts = ReadonlyMap<string, number>;

const NANO = 1_000_000_000;

/** Parsing costs more than all else in a scheduling decision; a pod's object never changes. */
const known = new WeakMap<Pod, Amounts>();

/** A pod's effective request (`PodRequests`): init containers run before, sidecars beside. */
export function podRequests(pod: Pod): Amounts {
  const requests = known.get(pod) ?? podAmounts(pod, requestsOf);
  known.set(pod, requests);
  return requests;
}

/** A pod's effective limits: of the resources that every container limits, for others there is none. */
export function podLimits(pod: Pod): Amounts {
  const { containers = [], initContainers = [] } = pod.spec ?? {};
  const each = [...initContainers, ...containers].map(limitsOf);
  const amounts = podAmounts(pod, limitsOf);
  return new Map([...amounts].filter(([name]) => each.every((limits) => limits.has(name))));
}

function podAmounts(pod: Pod, amountsOf: (container: Container) => Amounts): Amounts {
  const { containers = [], initContainers = [], overhead } = pod.spec ?? {};
  const running = new Map<string, number>();
  for (const container of containers) add(running, amountsOf(container));
  const peak = new Map<string, number>();
  const sidecars = new Map<string, number>();
  for (const container of initContainers) {
    if (container.restartPolicy === "Always") {
      add(sidecars, amountsOf(container));
      raise(peak, sidecars);
    } else {
      const during = new Map(sidecars);
      add(during, amountsOf(container));
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

function limitsOf({ resources }: Container): Map<string, number> {
  return parseAmounts(resources?.limits);
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
