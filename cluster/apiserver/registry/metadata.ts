/** metadata that the server fills in, keeps or checks, whatever the kind. */

import { randomBytes, randomUUID } from "node:crypto";
import type { KubeObject, ObjectMeta } from "#cluster/api/meta.ts";
import { statusError } from "#cluster/api/status-error.ts";
import type { Kind } from "#cluster/apiserver/kinds/kind.ts";
import type { FieldProblem } from "#cluster/apiserver/schema/schema.ts";

/** Kubernetes' alphabet for generated names: no vowels, so no words. */
const NAME_ALPHABET = "bcdfghjklmnpqrstvwxz2456789";
const MAX_GENERATE_NAME = 58;

export const FOREGROUND = "foregroundDeletion";
export const ORPHAN = "orphan";

/** `prefix` plus five random letters. */
export function generateName(prefix: string): string {
  const letters = [...randomBytes(5)].map((byte) => NAME_ALPHABET[byte % NAME_ALPHABET.length]);
  return prefix.slice(0, MAX_GENERATE_NAME) + letters.join("");
}

/** Fills in what the server decides about a new object. */
export function initializeMetadata(kind: Kind, object: KubeObject, now: string): void {
  const { metadata } = object;
  metadata.uid = randomUUID();
  metadata.creationTimestamp = now;
  delete metadata.deletionTimestamp;
  delete metadata.deletionGracePeriodSeconds;
  delete metadata.resourceVersion;
  delete metadata.managedFields;
  delete metadata.selfLink;
  if (kind.tracksGeneration) metadata.generation = 1;
  else delete metadata.generation;
}

/** What an update may not change, taken from the old object. */
export function keepMetadata(object: KubeObject, old: Readonly<KubeObject>): void {
  const { metadata } = object;
  metadata.name = old.metadata.name;
  keep(metadata, old.metadata, "namespace");
  keep(metadata, old.metadata, "uid");
  keep(metadata, old.metadata, "creationTimestamp");
  keep(metadata, old.metadata, "deletionTimestamp");
  keep(metadata, old.metadata, "deletionGracePeriodSeconds");
  keep(metadata, old.metadata, "generation");
  keep(metadata, old.metadata, "generateName");
  delete metadata.managedFields;
  delete metadata.selfLink;
}

function keep(metadata: ObjectMeta, old: ObjectMeta, field: keyof ObjectMeta): void {
  if (old[field] === undefined) delete metadata[field];
  else Object.assign(metadata, { [field]: old[field] });
}

const SUBDOMAIN = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const LABEL = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;
const QUALIFIED_NAME = /^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$/;

const SUBDOMAIN_RULE =
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', " +
  "and must start and end with an alphanumeric character (e.g. 'example.com', regex used for " +
  "validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const LABEL_RULE =
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must " +
  "start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for " +
  "validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";

/** Kinds whose names become DNS labels. */
const LABEL_NAMED = new Set(["namespaces", "services"]);
const MAX_ANNOTATION_BYTES = 256 * 1024;

/** Names, labels, annotations, owners and finalizers (apimachinery `ValidateObjectMeta`). */
export function validateMetadata(kind: Kind, metadata: ObjectMeta): FieldProblem[] {
  return [
    ...nameProblems(kind, metadata.name),
    ...labelProblems(metadata.labels),
    ...annotationProblems(metadata.annotations),
    ...ownerProblems(metadata),
  ];
}

function nameProblems(kind: Kind, name: string): FieldProblem[] {
  const asLabel = kind.group === "" && LABEL_NAMED.has(kind.plural);
  const max = asLabel ? 63 : 253;
  if (name.length > max) {
    return [invalidField("metadata.name", name, `must be no more than ${max} bytes`)];
  }
  if (asLabel) return LABEL.test(name) ? [] : [invalidField("metadata.name", name, LABEL_RULE)];
  return SUBDOMAIN.test(name) ? [] : [invalidField("metadata.name", name, SUBDOMAIN_RULE)];
}

function labelProblems(labels: Record<string, string> = {}): FieldProblem[] {
  return Object.entries(labels).flatMap(([key, value]) => {
    const problems = isQualifiedKey(key) ? [] : [badKey("metadata.labels", key)];
    if (value !== "" && (value.length > 63 || !QUALIFIED_NAME.test(value))) {
      const rule =
        value.length > 63
          ? "must be no more than 63 bytes"
          : "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' " +
            "or '.', and must start and end with an alphanumeric character";
      problems.push(invalidField("metadata.labels", value, rule));
    }
    return problems;
  });
}

function annotationProblems(annotations: Record<string, string> = {}): FieldProblem[] {
  const entries = Object.entries(annotations);
  const problems = entries
    .filter(([key]) => !isQualifiedKey(key.toLowerCase()))
    .map(([key]) => badKey("metadata.annotations", key));
  const bytes = entries.reduce((sum, [key, value]) => sum + key.length + value.length, 0);
  if (bytes > MAX_ANNOTATION_BYTES) {
    problems.push({
      field: "metadata.annotations",
      reason: "FieldValueTooLong",
      message: `Too long: may not be more than ${MAX_ANNOTATION_BYTES} bytes`,
    });
  }
  return problems;
}

function ownerProblems(metadata: ObjectMeta): FieldProblem[] {
  const controllers = (metadata.ownerReferences ?? []).filter((owner) => owner.controller === true);
  if (controllers.length < 2) return [];
  const message = `Invalid value: Only one reference can have Controller set to true`;
  return [{ field: "metadata.ownerReferences", reason: "FieldValueInvalid", message }];
}

/** `name` or `prefix/name` (apimachinery `IsQualifiedName`). */
function isQualifiedKey(key: string): boolean {
  const slash = key.indexOf("/");
  const prefix = slash < 0 ? undefined : key.slice(0, slash);
  const name = key.slice(slash + 1);
  if (prefix !== undefined && (prefix.length > 253 || !SUBDOMAIN.test(prefix))) return false;
  return name.length <= 63 && QUALIFIED_NAME.test(name);
}

function badKey(field: string, key: string): FieldProblem {
  return invalidField(
    field,
    key,
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end " +
      "with an alphanumeric character, after an optional DNS subdomain prefix and '/'",
  );
}

function invalidField(field: string, value: string, rule: string): FieldProblem {
  const message = `Invalid value: ${JSON.stringify(value)}: ${rule}`;
  return { field, reason: "FieldValueInvalid", message };
}

/** Throws BadRequest when the body names another namespace than the path. */
export function settleNamespace(kind: Kind, object: KubeObject, namespace: string): void {
  const { metadata } = object;
  if (!kind.namespaced) {
    delete metadata.namespace;
    return;
  }
  if ((metadata.namespace ?? "") !== "" && metadata.namespace !== namespace) {
    throw statusError(
      "BadRequest",
      `the namespace of the provided object does not match the namespace sent on the request`,
    );
  }
  metadata.namespace = namespace;
}
