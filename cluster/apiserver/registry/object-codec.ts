/**
 * Objects to stored text and back. The text begins with apiVersion, kind and metadata, and has no
 * resourceVersion (the store's revision is it), so an answer is made by splicing, not by parsing.
 */

import type { KubeObject } from "#cluster/api/meta.ts";
import { apiVersionOf } from "#cluster/api/resources.ts";
import type { Kind } from "#cluster/apiserver/kinds/kind.ts";
import type { StoredValue } from "#cluster/storage/store.ts";

const METADATA = '"metadata":{';

/** The text to store; `metadata` must not be empty, which a name ensures. */
export function encodeObject(kind: Kind, object: KubeObject): string {
  const { resourceVersion: _, managedFields: __, selfLink: ___, ...metadata } = object.metadata;
  const { apiVersion: ____, kind: _____, metadata: ______, ...rest } = object;
  const apiVersion = apiVersionOf({ group: kind.group, version: kind.storageVersion });
  return JSON.stringify({ apiVersion, kind: kind.kind, metadata, ...rest });
}

/** The revision of what a dry run made: it was never stored and has no resourceVersion. */
export const DRY_RUN_REVISION = 0;

/** JSON of a stored object in the version of `kind`, with its resourceVersion. */
export function jsonOf(kind: Kind, stored: StoredValue, revision = stored.revision): string {
  const start = stored.value.indexOf(METADATA) + METADATA.length;
  const version = revision === DRY_RUN_REVISION ? "" : `"resourceVersion":"${revision}",`;
  const type = `"kind":"${kind.kind}","apiVersion":"${apiVersionOf(kind)}"`;
  return `{${type},${METADATA}${version}${stored.value.slice(start)}`;
}

const parsed = new WeakMap<StoredValue, KubeObject>();

/** The object in the version of `kind`. It is shared: never write to it. */
export function objectOf(kind: Kind, stored: StoredValue): Readonly<KubeObject> {
  const apiVersion = apiVersionOf(kind);
  let object = parsed.get(stored);
  if (object === undefined) {
    object = freshObject(kind, stored);
    parsed.set(stored, object);
  }
  return object.apiVersion === apiVersion ? object : { ...object, apiVersion };
}

/** A copy of its own, to be changed. */
export function freshObject(
  kind: Kind,
  stored: StoredValue,
  revision = stored.revision,
): KubeObject {
  return JSON.parse(jsonOf(kind, stored, revision)) as KubeObject;
}
