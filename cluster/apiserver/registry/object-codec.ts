/**
 * Objects to stored text and back. The text begins with apiVersion, kind and metadata, and has no
 * resourceVersion (the store's revision is it), so an answer is made by splicing, not by parsing.
 */

import type { KubeObject, ManagedFieldsEntry } from "#cluster/api/meta.ts";
import { apiVersionOf } from "#cluster/api/resources.ts";
import type { Kind } from "#cluster/apiserver/kinds/kind.ts";
import type { StoredValue } from "#cluster/storage/store.ts";

const METADATA = '"metadata":{';

/** The text to store; the managedFields come first, and before the name. */
export function encodeObject(kind: Kind, object: KubeObject): string {
  const { resourceVersion: _, selfLink: __, managedFields, name, ...others } = object.metadata;
  const { apiVersion: ___, kind: ____, metadata: _____, ...rest } = object;
  const apiVersion = apiVersionOf({ group: kind.group, version: kind.storageVersion });
  const managed = managedFields?.length === 0 ? undefined : managedFields;
  const metadata = { managedFields: managed, name, ...others };
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

/**
 * The object in the version of `kind`, without its managedFields, which are large and seldom
 * asked for. It is shared: never write to it.
 */
export function objectOf(kind: Kind, stored: StoredValue): Readonly<KubeObject> {
  const apiVersion = apiVersionOf(kind);
  let object = parsed.get(stored);
  if (object === undefined) {
    object = JSON.parse(withoutManaged(jsonOf(kind, stored))) as KubeObject;
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

/** Who manages which fields of a stored object. */
export function managedFieldsOf({ value }: StoredValue): readonly ManagedFieldsEntry[] {
  const [start, end] = managedRange(value);
  return start === end ? [] : (JSON.parse(value.slice(start, end)) as ManagedFieldsEntry[]);
}

const MANAGED = '"managedFields":';
/** What follows the last entry: an unescaped quote, so it can't be in a field's name. */
const MANAGED_END = '}],"name":"';

/** Where the list of entries stands; empty where there is none. */
function managedRange(text: string): [start: number, end: number] {
  const metadata = text.indexOf(METADATA) + METADATA.length;
  const at = text.indexOf('"', metadata);
  const own = text.startsWith('"resourceVersion":"', at) ? text.indexOf(",", at) + 1 : at;
  if (!text.startsWith(MANAGED, own)) return [own, own];
  return [own + MANAGED.length, text.indexOf(MANAGED_END, own) + 2];
}

function withoutManaged(json: string): string {
  const [start, end] = managedRange(json);
  return start === end ? json : json.slice(0, start - MANAGED.length) + json.slice(end + 1);
}
