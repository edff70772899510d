/** metadata that the server fills in or keeps, whatever the kind. */

import { randomBytes, randomUUID } from "node:crypto";
import type { KubeObject, ObjectMeta } from "#cluster/api/meta.ts";
import { statusError } from "#cluster/api/status-error.ts";
import type { Kind } from "#cluster/apiserver/kinds/kind.ts";

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
  delete metadata.selfLink;
}

function keep(metadata: ObjectMeta, old: ObjectMeta, field: keyof ObjectMeta): void {
  if (old[field] === undefined) delete metadata[field];
  else Object.assign(metadata, { [field]: old[field] });
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
