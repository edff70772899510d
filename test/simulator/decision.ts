/** What becomes of a call, as far as a client and its destination see it. */

import type { Outcome } from "#pilot/explain/simulate.ts";

export type Decision =
  | { readonly kind: "closed" | "protocol error" }
  | { readonly kind: "connection"; readonly cluster: string }
  | {
      readonly kind: "answer";
      readonly status: number;
      readonly location?: string;
      readonly virtualHost?: string;
      readonly route?: string;
    }
  | {
      readonly kind: "request";
      readonly cluster: string;
      readonly path: string;
      readonly authority: string;
      readonly virtualHost: string;
      readonly route: string;
    };

/**
 * What an outcome lets happen: several decisions where weights choose. Clusters that aren't there
 * fail in their own ways.
 */
export function decisionsOf(outcome: Outcome, known: ReadonlySet<string>): Decision[] {
  const { error, virtualHost, route, location } = outcome;
  if (error === "closed" || error === "protocol error") return [{ kind: error }];
  const place = virtualHost === undefined ? {} : { virtualHost };
  if (error !== undefined) {
    const decided = route === undefined ? {} : { ...place, route: route.name };
    const to = location === undefined ? {} : { location };
    return [{ kind: "answer", status: Number(error), ...decided, ...to }];
  }
  if (outcome.requests === undefined) {
    return Object.keys(outcome.clusters).map((cluster) =>
      known.has(cluster) ? { kind: "connection", cluster } : { kind: "closed" },
    );
  }
  const name = route?.name ?? "";
  return outcome.requests.map((one) =>
    known.has(one.cluster)
      ? { kind: "request", ...one, virtualHost: virtualHost ?? "", route: name }
      : { kind: "answer", status: 503, ...place, route: name },
  );
}
