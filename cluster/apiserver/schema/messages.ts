/** The generated table of built-in types: every field with its JSON and protobuf names. */

import { readFileSync } from "node:fs";

/** A field's type: a scalar's or special type's name, or `#` and a definition's name. */
export interface MessageField {
  /** JSON name; empty for an inlined struct. */
  name: string;
  type: string;
  /** Protobuf field number; absent where a type never travels as protobuf. */
  number?: number;
  repeated?: true;
  map?: true;
  /** The members of the type are members of the parent in JSON. */
  inline?: true;
  required?: true;
  /** A pointer in Go: its zero value is something else than its absence. */
  pointer?: true;
  patchStrategy?: string;
  patchMergeKey?: string;
  listType?: string;
  listMapKeys?: string[];
  mapType?: string;
  default?: unknown;
}

interface Message {
  fields: MessageField[];
  /** `atomic` where the whole of it belongs to one writer. */
  mapType?: string;
}

export const META = "io.k8s.apimachinery.pkg.apis.meta.v1";
export const TYPE_META = `${META}.TypeMeta`;

let table: Map<string, Message> | undefined;

/** The fields of a built-in type, or undefined for an unknown name. */
export function messageFields(name: string): readonly MessageField[] | undefined {
  return messages().get(name)?.fields;
}

/** Whether a built-in type belongs to one writer as a whole (`+structType=atomic`). */
export function isAtomic(name: string): boolean {
  return messages().get(name)?.mapType === "atomic";
}

/** Name of the definition of a built-in kind, as Kubernetes' OpenAPI names it. */
export function definitionName(group: string, version: string, kind: string): string {
  return `${groupPrefix(group)}.${version}.${kind}`;
}

/** The definition of a kind that is in the table, or undefined. */
export function knownDefinition(apiVersion: string, kind: string): string | undefined {
  const slash = apiVersion.indexOf("/");
  const group = slash < 0 ? "" : apiVersion.slice(0, slash);
  const name = definitionName(group, apiVersion.slice(slash + 1), kind);
  if (messages().has(name)) return name;
  // DeleteOptions and friends are accepted under the version of any group.
  const shared = `${META}.${kind}`;
  return messages().has(shared) ? shared : undefined;
}

function groupPrefix(group: string): string {
  if (group === "") return "io.k8s.api.core";
  if (group === "apiextensions.k8s.io")
    return "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions";
  if (group === "apiregistration.k8s.io") return "io.k8s.kube-aggregator.pkg.apis.apiregistration";
  if (group === "metrics.k8s.io") return "io.k8s.metrics.pkg.apis.metrics";
  if (group === "meta.k8s.io") return "io.k8s.apimachinery.pkg.apis.meta";
  return `io.k8s.api.${group.split(".")[0] ?? group}`;
}

function messages(): Map<string, Message> {
  if (table === undefined) {
    const text = readFileSync(new URL("generated/messages.json", import.meta.url), "utf8");
    table = new Map(Object.entries(JSON.parse(text) as Record<string, Message>));
  }
  return table;
}
