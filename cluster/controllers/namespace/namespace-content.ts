/** Everything in a namespace, found by discovery, and its deletion. */

import type { AnyObject } from "#cluster/api/meta.ts";
import { PODS } from "#cluster/api/resources.ts";
import type { Resource } from "#cluster/api/resources.ts";
import { hasReason } from "#cluster/api/status-error.ts";
import type { KubeClient } from "#cluster/client/client.ts";
import type { Discovered, ServedResource } from "#cluster/client/discovery.ts";

const PAGE_SIZE = 500;

/** What is left of a namespace after a round of deletion. */
export interface Remains {
  /** `plural.group` → number of objects. */
  counts: Map<string, number>;
  /** Finalizer → number of objects that wait for it. */
  finalizers: Map<string, number>;
  /** Why something couldn't be read or deleted. */
  deletionProblems: string[];
  discoveryProblems: string[];
}

/**
 * One round: deletes all that isn't being deleted yet. Pods go first and alone, so that what
 * protects or confines them (policies, secrets) outlives them.
 */
export async function deleteContent(
  client: KubeClient,
  namespace: string,
  discovered: Discovered,
): Promise<Remains> {
  const remains: Remains = {
    counts: new Map(),
    finalizers: new Map(),
    deletionProblems: [],
    discoveryProblems: discovered.failures.map(
      ({ groupVersion, message }) => `${groupVersion}: ${message}`,
    ),
  };
  const resources = discovered.resources.filter(isDeletable);
  const isPods = (resource: ServedResource): boolean =>
    resource.group === PODS.group && resource.plural === PODS.plural;
  for (const resource of resources.filter(isPods)) {
    await deleteAll(client, { namespace, resource }, remains);
  }
  if (remains.counts.size > 0) return remains;
  await Promise.all(
    resources
      .filter((resource) => !isPods(resource))
      .map((resource) => deleteAll(client, { namespace, resource }, remains)),
  );
  return remains;
}

function isDeletable({ namespaced, verbs }: ServedResource): boolean {
  return namespaced && verbs.includes("list") && verbs.includes("delete");
}

interface Target {
  namespace: string;
  resource: Resource<AnyObject>;
}

async function deleteAll(client: KubeClient, target: Target, remains: Remains): Promise<void> {
  const { resource } = target;
  const label =
    resource.group === "" ? `${resource.plural}.` : `${resource.plural}.${resource.group}`;
  try {
    const found = await listAll(client, target);
    await Promise.all(
      found
        .filter(({ metadata }) => metadata.deletionTimestamp === undefined)
        .map((object) => deleteOne(client, resource, object)),
    );
    // What had neither grace nor finalizers is gone already.
    const left = found.length === 0 ? [] : await listAll(client, target);
    if (left.length > 0) remains.counts.set(label, left.length);
    for (const finalizer of left.flatMap(({ metadata }) => metadata.finalizers ?? [])) {
      remains.finalizers.set(finalizer, (remains.finalizers.get(finalizer) ?? 0) + 1);
    }
  } catch (error) {
    // Its CustomResourceDefinition has just gone, and so have its objects.
    if (hasReason(error, "NotFound") || hasReason(error, "MethodNotAllowed")) return;
    remains.deletionProblems.push(`${label}: ${String(error)}`);
  }
}

async function listAll(client: KubeClient, { namespace, resource }: Target): Promise<AnyObject[]> {
  const items: AnyObject[] = [];
  let next: string | undefined;
  do {
    const page = await client.list(resource, { namespace, limit: PAGE_SIZE, continue: next });
    items.push(...page.items);
    next = page.metadata.continue === "" ? undefined : page.metadata.continue;
  } while (next !== undefined);
  return items;
}

async function deleteOne(
  client: KubeClient,
  resource: Resource<AnyObject>,
  { metadata }: AnyObject,
): Promise<void> {
  try {
    const preconditions = { uid: metadata.uid };
    await client.delete(resource, metadata, { propagationPolicy: "Background", preconditions });
  } catch (error) {
    if (!hasReason(error, "NotFound") && !hasReason(error, "Conflict")) throw error;
  }
}
