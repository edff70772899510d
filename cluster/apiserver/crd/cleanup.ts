/** A deleted definition takes the objects of its kind with it, and goes when they are gone. */

import { setTimeout as wait } from "node:timers/promises";
import type { CustomResourceDefinition } from "#cluster/api/generated/apiextensions-v1.ts";
import { CUSTOM_RESOURCE_DEFINITIONS as CRDS } from "#cluster/api/resources.ts";
import { hasReason } from "#cluster/api/status-error.ts";
import { API_SERVER } from "#cluster/apiserver/auth/user.ts";
import type { RegistryContext } from "#cluster/apiserver/registry/context.ts";
import { deleteObject } from "#cluster/apiserver/registry/delete.ts";
import { collectionPrefix } from "#cluster/apiserver/registry/keys.ts";
import { objectOf } from "#cluster/apiserver/registry/object-codec.ts";
import { SERVER_MANAGER, updateObject } from "#cluster/apiserver/registry/write.ts";
import type { StoredValue } from "#cluster/storage/store.ts";
import { CLEANUP_FINALIZER } from "./definitions.ts";

const FIRST_RETRY_MS = 50;
const MAX_RETRY_MS = 5_000;

/** Cleans up after deleted definitions until the signal aborts, also after those of the past. */
export function followDeletions(context: RegistryContext, signal: AbortSignal): void {
  const underWay = new Set<string>();
  const consider = (stored: StoredValue): void => {
    const { metadata } = JSON.parse(stored.value) as CustomResourceDefinition;
    const wanted =
      metadata.deletionTimestamp !== undefined && metadata.finalizers?.includes(CLEANUP_FINALIZER);
    if (wanted !== true || underWay.has(metadata.name)) return;
    underWay.add(metadata.name);
    cleanUp(context, metadata.name, signal)
      .catch((error: unknown) => {
        if (!signal.aborted) console.error(`cleaning up ${metadata.name} failed:`, error);
      })
      .finally(() => underWay.delete(metadata.name));
  };
  const prefix = collectionPrefix(CRDS);
  const { revision } = context.store;
  const listed = context.store.list(prefix);
  if (listed.ok) for (const stored of listed.values) consider(stored);
  const watch = context.store.watch(prefix, revision, ({ current }) => {
    if (current !== undefined) consider(current);
  });
  if (watch.ok) signal.addEventListener("abort", watch.stop, { once: true });
}

/** Objects with finalizers take their time: asks again, ever more slowly. */
async function cleanUp(
  context: RegistryContext,
  definition: string,
  signal: AbortSignal,
): Promise<void> {
  for (let pause = FIRST_RETRY_MS; !signal.aborted; pause = Math.min(pause * 2, MAX_RETRY_MS)) {
    if ((await deleteAll(context, definition, signal)) === 0) {
      await removeFinalizer(context, definition, signal);
      return;
    }
    await wait(pause, undefined, { signal, ref: false });
  }
}

/** How many objects are still there. */
async function deleteAll(
  context: RegistryContext,
  definition: string,
  signal: AbortSignal,
): Promise<number> {
  const [kind] = context.kinds.ofDefinition(definition);
  if (kind === undefined) return 0;
  const prefix = collectionPrefix(kind);
  const listed = context.store.list(prefix);
  for (const stored of listed.ok ? listed.values : []) {
    const { name, namespace = "" } = objectOf(kind, stored).metadata;
    const at = { kind, namespace, name, subresource: "", user: API_SERVER, dryRun: false };
    try {
      await deleteObject(
        context,
        { ...at, manager: SERVER_MANAGER, warnings: [], signal },
        { dryRun: false },
      );
    } catch (error) {
      if (!hasReason(error, "NotFound")) throw error;
    }
  }
  const left = context.store.list(prefix);
  return left.ok ? left.values.length : 0;
}

async function removeFinalizer(
  context: RegistryContext,
  name: string,
  signal: AbortSignal,
): Promise<void> {
  const kind = context.kinds.findResource(CRDS.group, CRDS.plural);
  if (kind === undefined) return;
  const at = { kind, namespace: "", name, subresource: "", user: API_SERVER, dryRun: false };
  await updateObject(context, { ...at, manager: SERVER_MANAGER, warnings: [], signal }, (crd) => {
    const { finalizers = [] } = crd.metadata;
    crd.metadata.finalizers = finalizers.filter((finalizer) => finalizer !== CLEANUP_FINALIZER);
    return crd;
  });
}
