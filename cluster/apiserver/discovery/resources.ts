/** What is served, resource by resource: the common source of plain and aggregated discovery. */

import { REVIEWS } from "#cluster/apiserver/auth/reviews.ts";
import type { Kind } from "#cluster/apiserver/kinds/kind.ts";
import { CORE_SUBRESOURCES } from "#cluster/apiserver/server/subresource-handlers.ts";

export interface ServedSubresource {
  name: string;
  group: string;
  version: string;
  kind: string;
  verbs: readonly string[];
}

export interface ServedResource {
  plural: string;
  singular: string;
  kind: string;
  namespaced: boolean;
  shortNames: readonly string[];
  categories: readonly string[];
  verbs: readonly string[];
  subresources: readonly ServedSubresource[];
}

export interface ServedVersion {
  version: string;
  resources: ServedResource[];
}

export interface ServedGroup {
  /** Empty for the core group. */
  group: string;
  /** The preferred one first. */
  versions: ServedVersion[];
}

/** Group and kind of the body of each subresource of the core group, and its verbs. */
const CORE_BODIES: Readonly<Record<string, Omit<ServedSubresource, "name">>> = {
  "pods/binding": { group: "", version: "v1", kind: "Binding", verbs: ["create"] },
  "pods/eviction": { group: "policy", version: "v1", kind: "Eviction", verbs: ["create"] },
  "pods/log": { group: "", version: "v1", kind: "Pod", verbs: ["get"] },
  "pods/exec": { group: "", version: "v1", kind: "PodExecOptions", verbs: ["create", "get"] },
  "pods/attach": { group: "", version: "v1", kind: "PodAttachOptions", verbs: ["create", "get"] },
  "pods/portforward": {
    group: "",
    version: "v1",
    kind: "PodPortForwardOptions",
    verbs: ["create", "get"],
  },
  "serviceaccounts/token": {
    group: "authentication.k8s.io",
    version: "v1",
    kind: "TokenRequest",
    verbs: ["create"],
  },
  "namespaces/finalize": { group: "", version: "v1", kind: "Namespace", verbs: ["update"] },
};

/** Core first, then by name; within a group the most stable and newest version first. */
export function servedGroups(kinds: readonly Kind[]): ServedGroup[] {
  const groups = new Map<string, Map<string, ServedResource[]>>();
  const add = (at: { group: string; version: string }, resource: ServedResource): void => {
    const versions = groups.get(at.group) ?? new Map<string, ServedResource[]>();
    groups.set(at.group, versions);
    versions.set(at.version, [...(versions.get(at.version) ?? []), resource]);
  };
  for (const kind of kinds) add(kind, servedKind(kind));
  for (const review of REVIEWS) {
    const { plural, kind, namespaced } = review;
    const none = { shortNames: [], categories: [], subresources: [] };
    const singular = kind.toLowerCase();
    add(review, { plural, singular, kind, namespaced, ...none, verbs: ["create"] });
  }
  return [...groups]
    .map(([group, versions]) => ({
      group,
      versions: [...versions]
        .map(([version, resources]) => ({ version, resources }))
        .toSorted((a, b) => compareVersions(a.version, b.version)),
    }))
    .toSorted((a, b) => (a.group < b.group ? -1 : 1));
}

function servedKind(kind: Kind): ServedResource {
  const { plural, singular, namespaced, shortNames, categories, verbs } = kind;
  const own = { group: kind.group, version: kind.version, kind: kind.kind };
  const subresources: ServedSubresource[] = [];
  if (kind.statusSubresource) {
    subresources.push({ name: "status", ...own, verbs: ["get", "patch", "update"] });
  }
  if (kind.scale !== undefined) {
    const scale = { group: "autoscaling", version: "v1", kind: "Scale" };
    subresources.push({ name: "scale", ...scale, verbs: ["get", "patch", "update"] });
  }
  for (const path of kind.group === "" ? CORE_SUBRESOURCES : []) {
    const [resource, name = ""] = path.split("/");
    const body = CORE_BODIES[path];
    if (resource === plural && body !== undefined) subresources.push({ name, ...body });
  }
  return {
    plural,
    singular,
    kind: kind.kind,
    namespaced,
    shortNames,
    categories,
    verbs,
    subresources,
  };
}

const VERSION = /^v(\d{1,9})(?:(alpha|beta)(\d{1,9}))?$/;
const STABILITY: Readonly<Record<string, number>> = { alpha: 1, beta: 2 };

/** Kubernetes' order of version names: v2, v1, v1beta2, v1beta1, v1alpha1, then the others. */
export function compareVersions(a: string, b: string): number {
  const [rankA, rankB] = [rank(a), rank(b)];
  if (rankA === undefined || rankB === undefined) {
    if (rankA !== rankB) return rankA === undefined ? 1 : -1;
    return a < b ? -1 : a > b ? 1 : 0;
  }
  const index = rankA.findIndex((part, i) => part !== rankB[i]);
  return index < 0 ? 0 : (rankB[index] ?? 0) - (rankA[index] ?? 0);
}

function rank(version: string): number[] | undefined {
  const match = VERSION.exec(version);
  if (match === null) return undefined;
  const [, major, stage, minor] = match;
  return [stage === undefined ? 3 : (STABILITY[stage] ?? 0), Number(major), Number(minor ?? 0)];
}
