/** The name of a pod template: label `pod-template-hash` and suffix of the ReplicaSet's name. */

import type { PodTemplateSpec } from "#cluster/api/generated/core-v1.ts";

/** Label that tells the pods of a Deployment's ReplicaSets apart. */
export const TEMPLATE_HASH_LABEL = "pod-template-hash";

/** Kubernetes' alphabet for generated names: no vowels, so no words. */
const ALPHABET = "bcdfghjklmnpqrstvwxz2456789";

/**
 * FNV-1a over the template's content (order of fields doesn't matter) and the collision count,
 * spelt like Kubernetes' hashes. It need not be equal to Kubernetes': the ReplicaSet of a template
 * is found by comparing templates.
 */
export function templateHash(template: PodTemplateSpec, collisionCount: number): string {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(`${canonical(template)}${collisionCount || ""}`)) {
    hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  }
  return String(hash).replaceAll(
    /\d/g,
    (digit) => ALPHABET[digit.charCodeAt(0) % ALPHABET.length] ?? "",
  );
}

/** Whether two templates make the same pods; the hash label doesn't count. */
export function isSameTemplate(
  a: PodTemplateSpec | undefined,
  b: PodTemplateSpec | undefined,
): boolean {
  return canonical(withoutHash(a)) === canonical(withoutHash(b));
}

function withoutHash(template: PodTemplateSpec | undefined): PodTemplateSpec {
  const { [TEMPLATE_HASH_LABEL]: _, ...labels } = template?.metadata?.labels ?? {};
  return { ...template, metadata: { ...template?.metadata, labels } };
}

/** JSON with sorted keys; absent, null and (in metadata) empty members are the same. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (key, member: unknown) => {
    if (member === null) return undefined;
    if (typeof member !== "object" || Array.isArray(member)) return member;
    const entries = Object.entries(member).toSorted(([a], [b]) => (a < b ? -1 : 1));
    if (entries.length === 0 && (key === "labels" || key === "annotations")) return undefined;
    return Object.fromEntries(entries);
  });
}
