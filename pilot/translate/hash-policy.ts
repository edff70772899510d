/** `consistentHash` of a policy: what of a request or connection chooses its endpoint. */

import type { TrafficPolicy } from "#crds/types/networking-v1.ts";
import type { HashPolicy } from "#pilot/ir/route.ts";
import { controlProblem, durationMs } from "./fields.ts";
import { type Reporter, error } from "./result.ts";

/** How requests are hashed for a consistent load balancer; empty for others. */
export function hashPolicies(policy: TrafficPolicy, report: Reporter): HashPolicy[] {
  const spec = policy.loadBalancer?.consistentHash;
  if (spec === undefined) return [];
  if (spec.httpHeaderName !== undefined && spec.httpHeaderName !== "") {
    return [{ kind: "header", name: spec.httpHeaderName.toLowerCase() }];
  }
  if (spec.httpCookie !== undefined) {
    const { name, path, ttl, attributes = [] } = spec.httpCookie;
    const ttlMs = durationMs(ttl, report, "consistentHash.httpCookie.ttl");
    const parts = [name, path ?? "", ...attributes.flatMap((one) => [one.name, one.value ?? ""])];
    if (parts.some((part) => controlProblem(part) !== undefined)) {
      const message = "a line break or NUL can't be in a header: nothing is hashed";
      error(report, "consistentHash.httpCookie", "InvalidHeader", message);
      return [];
    }
    return [
      {
        kind: "cookie",
        name,
        ...(path === undefined ? {} : { path }),
        ...(ttlMs === undefined ? {} : { ttlMs }),
        ...(attributes.length === 0
          ? {}
          : { attributes: attributes.map((one) => ({ name: one.name, value: one.value ?? "" })) }),
      },
    ];
  }
  if (spec.useSourceIp === true) return [{ kind: "source-address" }];
  if (spec.httpQueryParameterName !== undefined && spec.httpQueryParameterName !== "") {
    return [{ kind: "query", name: spec.httpQueryParameterName }];
  }
  return [];
}
