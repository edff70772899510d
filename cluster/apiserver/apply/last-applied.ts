/** The annotation of client-side apply: what `kubectl apply --server-side` takes over from it. */

import type { KubeObject } from "#cluster/api/meta.ts";
import { isObject, setOwn, type JsonObject } from "#cluster/apiserver/schema/json.ts";
import { compare } from "./compare.ts";
import { difference, LEAF, union, type FieldSet } from "./field-set.ts";
import type { MergeType } from "./merge-type.ts";
import { ownedFields } from "./owned-fields.ts";

export const LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration";
/** The only manager that the annotation is about. */
export const KUBECTL = "kubectl";
/** Kubernetes' bound on all annotations of an object. */
const MAX_ANNOTATION_BYTES = 256 * 1024;

/** The fields that kubectl applied from the client and that are still as it applied them. */
export function fieldsLastApplied(type: MergeType, live: Readonly<KubeObject>): FieldSet {
  const text = live.metadata.annotations?.[LAST_APPLIED];
  const config = text === undefined || text === "" ? undefined : parse(text);
  if (config === undefined || config.apiVersion !== live.apiVersion) return LEAF;
  const { changed, removed } = compare(type, config, live);
  return difference(ownedFields(type, config), union(changed, removed));
}

/** Keeps the annotation in step, where there is one, so that client-side apply can go on. */
export function updateLastApplied(object: KubeObject, config: JsonObject): void {
  const { annotations } = object.metadata;
  if (annotations === undefined || (annotations[LAST_APPLIED] ?? "") === "") return;
  const value = `${JSON.stringify(sorted(withoutAnnotation(config)))}\n`;
  const { [LAST_APPLIED]: _, ...others } = annotations;
  const next = { ...others, [LAST_APPLIED]: value };
  const bytes = Object.entries(next).reduce(
    (sum, [key, text]) => sum + key.length + text.length,
    0,
  );
  object.metadata.annotations = bytes > MAX_ANNOTATION_BYTES ? others : next;
}

function parse(text: string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : undefined;
  } catch {
    // Not kubectl's, then: nothing is known about what was applied.
    return undefined;
  }
}

function withoutAnnotation(config: JsonObject): JsonObject {
  const { metadata } = config;
  if (!isObject(metadata) || !isObject(metadata.annotations)) return config;
  const { [LAST_APPLIED]: _, ...annotations } = metadata.annotations;
  return { ...config, metadata: { ...metadata, annotations } };
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (!isObject(value)) return value;
  const result: JsonObject = {};
  for (const key of Object.keys(value).toSorted()) setOwn(result, key, sorted(value[key]));
  return result;
}
