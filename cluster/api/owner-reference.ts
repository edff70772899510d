/** Which controller an object belongs to (apimachinery `metav1.GetControllerOf`). */

import type { AnyObject, OwnerReference } from "./meta.ts";
import { apiVersionOf } from "./resources.ts";
import type { Resource } from "./resources.ts";

/** The one owner reference marked as controller. */
export function controllerOf(object: {
  metadata: AnyObject["metadata"];
}): OwnerReference | undefined {
  return object.metadata.ownerReferences?.find(({ controller }) => controller === true);
}

/** The reference that a controller's dependents carry; deletion of the owner waits for them. */
export function controllerReference(
  resource: Resource<AnyObject>,
  owner: AnyObject,
): OwnerReference {
  return {
    apiVersion: apiVersionOf(resource),
    kind: resource.kind,
    name: owner.metadata.name,
    uid: owner.metadata.uid ?? "",
    controller: true,
    blockOwnerDeletion: true,
  };
}
