/** Kinds of Istio's that have a schema here and nothing more yet: told, so that nobody trusts in them. */

import type { PlatformEvent } from "./registry.ts";
import type { Resource } from "#cluster/api/resources.ts";
import { objectKey } from "#pilot/model/name.ts";
import type { Problem } from "#pilot/model/problem.ts";

const KINDS = [
  ["security.istio.io", "v1", "PeerAuthentication", "peerauthentications"],
  ["security.istio.io", "v1", "RequestAuthentication", "requestauthentications"],
  ["security.istio.io", "v1", "AuthorizationPolicy", "authorizationpolicies"],
  ["extensions.istio.io", "v1alpha1", "WasmPlugin", "wasmplugins"],
] as const;

/** Watched only to say what becomes of them. */
export const UNSUPPORTED_CONFIG: readonly Resource[] = KINDS.map(
  ([group, version, kind, plural]) => ({ group, version, plural, kind, namespaced: true }),
);

const GROUPS: ReadonlyMap<string, string> = new Map(KINDS.map(([group, , kind]) => [kind, group]));

/** What an object of such a kind would do, and doesn't; undefined for all other kinds. */
export function unsupportedReason(apiVersion: string, kind: string): string | undefined {
  const group = GROUPS.get(kind);
  if (group === undefined || !apiVersion.startsWith(`${group}/`)) return undefined;
  return `not supported yet: nothing in the mesh does what this ${kind} says`;
}

/** The objects of such kinds that exist now. */
export class UnsupportedObjects {
  readonly #problems = new Map<string, Problem>();

  handle({ type, object }: PlatformEvent): void {
    const { apiVersion = "", kind = "", metadata } = object;
    const message = unsupportedReason(apiVersion, kind);
    if (message === undefined) return;
    const key = objectKey(kind, metadata.namespace ?? "default", metadata.name);
    if (type === "delete") this.#problems.delete(key);
    else {
      const problem = { object: key, path: "", reason: "NotSupportedYet", message };
      this.#problems.set(key, { ...problem, severity: "error" });
    }
  }

  problems(): Problem[] {
    return [...this.#problems.values()];
  }
}
