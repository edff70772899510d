/** What happens to the world: a model object appears, is replaced, or goes. */

import type { ModelObject } from "./object.ts";
import type { ObjectKey } from "./name.ts";

/** An upsert carries the whole object; objects without a difference may be sent again. */
export type Change =
  | { readonly type: "upsert"; readonly object: ModelObject }
  | { readonly type: "delete"; readonly key: ObjectKey };

export function keyOfChange(change: Change): ObjectKey {
  return change.type === "upsert" ? change.object.key : change.key;
}
