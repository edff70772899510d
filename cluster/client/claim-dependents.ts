/** Adoption and release: a controller's dependents follow its selector (ControllerRefManager). */

import type { AnyObject, OwnerReference } from "#cluster/api/meta.ts";
import { controllerOf, controllerReference } from "#cluster/api/owner-reference.ts";
import type { Resource } from "#cluster/api/resources.ts";
import { hasReason } from "#cluster/api/status-error.ts";
import type { KubeClient } from "./client.ts";

export interface ClaimOptions<O extends AnyObject, D extends AnyObject> {
  client: KubeClient;
  owner: { resource: Resource<O>; object: O };
  dependents: { resource: Resource<D>; objects: readonly D[] };
  /** Whether the owner's selector selects a dependent. */
  selects: (dependent: D) => boolean;
}

/** What belongs to an owner, and what has to change for it; pure. */
export interface Claim<D> {
  owned: D[];
  adopt: D[];
  release: D[];
}

/** Sorts candidates; an owner that is being deleted, or a dependent that is, adopts nothing. */
export function classifyDependents<D extends AnyObject>(
  owner: AnyObject,
  objects: readonly D[],
  selects: (dependent: D) => boolean,
): Claim<D> {
  const claim: Claim<D> = { owned: [], adopt: [], release: [] };
  const isDeleting = owner.metadata.deletionTimestamp !== undefined;
  for (const object of objects) {
    const controller = controllerOf(object);
    if (controller === undefined) {
      const isGoing = object.metadata.deletionTimestamp !== undefined;
      if (!isDeleting && !isGoing && selects(object)) claim.adopt.push(object);
    } else if (controller.uid === owner.metadata.uid) {
      if (selects(object)) claim.owned.push(object);
      else if (!isDeleting) claim.release.push(object);
    }
  }
  return claim;
}

/** Writes the owner references that are due and answers with all that the owner has then. */
export async function claimDependents<O extends AnyObject, D extends AnyObject>(
  options: ClaimOptions<O, D>,
): Promise<D[]> {
  const { client, owner, dependents, selects } = options;
  const claim = classifyDependents(owner.object, dependents.objects, selects);
  for (const object of claim.release) {
    const rest = object.metadata.ownerReferences?.filter(
      ({ uid }) => uid !== owner.object.metadata.uid,
    );
    await setOwners(client, dependents.resource, { object, owners: rest ?? [] });
  }
  if (claim.adopt.length === 0) return claim.owned;
  // The cache may be old: an owner that was deleted meanwhile must not adopt.
  const live = await client.get(owner.resource, owner.object.metadata);
  if (live.metadata.uid !== owner.object.metadata.uid) return claim.owned;
  if (live.metadata.deletionTimestamp !== undefined) return claim.owned;
  const reference = controllerReference(owner.resource, owner.object);
  const adopted: D[] = [];
  for (const object of claim.adopt) {
    const owners = [...(object.metadata.ownerReferences ?? []), reference];
    const written = await setOwners(client, dependents.resource, { object, owners });
    if (written !== undefined) adopted.push(written);
  }
  return [...claim.owned, ...adopted];
}

/** Undefined when the object is gone; the revision guards against a change in between. */
async function setOwners<D extends AnyObject>(
  client: KubeClient,
  resource: Resource<D>,
  change: { object: D; owners: OwnerReference[] },
): Promise<D | undefined> {
  const { resourceVersion } = change.object.metadata;
  const body = { metadata: { resourceVersion, ownerReferences: change.owners } };
  try {
    return await client.patch(resource, change.object.metadata, { type: "merge", body });
  } catch (error) {
    if (hasReason(error, "NotFound")) return undefined;
    throw error;
  }
}
