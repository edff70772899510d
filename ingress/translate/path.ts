/** An Ingress path → matches of a VirtualService, and its place among the paths of a host. */

import type { HTTPIngressPath } from "#cluster/api/generated/networking-v1.ts";
import type { HTTPMatchRequest, HTTPRoute } from "#crds/types/networking-v1.ts";

/** The longest path wins, and of equal ones Exact before Prefix (page "Ingress", multiple matches). */
export interface Rank {
  readonly length: number;
  readonly exact: boolean;
}

export interface PathRoute extends Rank {
  readonly route: HTTPRoute;
}

export type PathResult =
  | { ok: true; matches: HTTPMatchRequest[]; rank: Rank }
  | { ok: false; field: "path" | "pathType"; message: string };

/**
 * `Prefix` counts whole segments: `/foo` is `/foo` itself and what begins with `/foo/`.
 * `ImplementationSpecific` is Istio's: an ending `.*` makes a plain prefix, else it is exact; without
 * a path it is everything.
 */
export function pathMatches({ path = "", pathType }: HTTPIngressPath): PathResult {
  if (path !== "" && !path.startsWith("/")) {
    return { ok: false, field: "path", message: `${JSON.stringify(path)} must begin with /` };
  }
  switch (pathType) {
    case "Exact":
      if (path === "") return { ok: false, field: "path", message: "Exact needs a path" };
      return exactly(path);
    case "Prefix":
      return segments(path);
    case "ImplementationSpecific":
      if (path === "") return segments("/");
      return path.endsWith(".*") ? beginsWith(path.slice(0, -2)) : exactly(path);
    default:
      return {
        ok: false,
        field: "pathType",
        message: `${JSON.stringify(pathType)} is none of Exact, Prefix, ImplementationSpecific`,
      };
  }
}

/** For sorting; equal ranks keep the order of their Ingresses, oldest first. */
export function comparePrecedence(left: Rank, right: Rank): number {
  return right.length - left.length || Number(right.exact) - Number(left.exact);
}

function exactly(path: string): PathResult {
  return { ok: true, matches: [{ uri: { exact: path } }], rank: rankOf(path, true) };
}

function segments(path: string): PathResult {
  const trimmed = path.replace(/\/+$/, "");
  if (trimmed === "") return beginsWith("/");
  return {
    ok: true,
    matches: [{ uri: { exact: trimmed } }, { uri: { prefix: `${trimmed}/` } }],
    rank: rankOf(trimmed, false),
  };
}

function beginsWith(prefix: string): PathResult {
  return { ok: true, matches: [{ uri: { prefix } }], rank: rankOf(prefix, false) };
}

function rankOf(path: string, exact: boolean): Rank {
  return { length: path.length, exact };
}
