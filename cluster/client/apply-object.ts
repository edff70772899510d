/** Making an object be as described, whatever is there: create, or merge into what exists. */

import type { AnyObject, Creatable } from "#cluster/api/meta.ts";
import type { Resource } from "#cluster/api/resources.ts";
import { apiVersionOf } from "#cluster/api/resources.ts";
import { hasReason } from "#cluster/api/status-error.ts";
import type { KubeClient } from "./client.ts";

/**
 * Merge-patches the existing object (RFC 7396: lists are replaced, fields that others have set
 * stay) or creates it. Rejects with the server's StatusError, Invalid for example.
 */
export async function applyObject<T extends AnyObject>(
  client: KubeClient,
  resource: Resource<T>,
  object: Creatable<T>,
): Promise<T> {
  const body = { ...object, apiVersion: apiVersionOf(resource), kind: resource.kind };
  const { name = "", namespace } = object.metadata;
  const merge = (): Promise<T> =>
    client.patch(resource, { name, namespace }, { type: "merge", body });
  try {
    return await merge();
  } catch (error) {
    if (!hasReason(error, "NotFound")) throw error;
  }
  try {
    return await client.create(resource, body);
  } catch (error) {
    // Somebody else was faster.
    if (!hasReason(error, "AlreadyExists")) throw error;
  }
  return merge();
}
