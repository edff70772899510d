/** Retries of a route: what is written, else the mesh's, else Istio's default. */

import type { HTTPRetry } from "#crds/types/networking-v1.ts";
import type { RetryPolicy } from "#pilot/ir/route.ts";
import type { MeshConfig } from "#pilot/model/mesh-config.ts";
import { durationMs } from "./fields.ts";
import type { Reporter } from "./result.ts";

const DEFAULT_RETRY_ON =
  "connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes";

const DEFAULT_ATTEMPTS = 2;

/** Undefined: the request is tried once. */
export function retryPolicy(
  spec: HTTPRetry | undefined,
  mesh: MeshConfig,
  report: Reporter,
  path: string,
): RetryPolicy | undefined {
  if (spec === undefined) {
    const own = mesh.defaultRetries;
    if (own?.attempts === 0) return undefined;
    return {
      attempts: own?.attempts ?? DEFAULT_ATTEMPTS,
      ...parseRetryOn(own?.retryOn),
      ...(own?.perTryTimeoutMs === undefined ? {} : { perTryTimeoutMs: own.perTryTimeoutMs }),
      avoidPreviousHosts: true,
      otherLocalities: false,
    };
  }
  const attempts = spec.attempts ?? 0;
  if (attempts <= 0) return undefined;
  const perTryTimeoutMs = durationMs(spec.perTryTimeout, report, `${path}.perTryTimeout`);
  const backoffMs = durationMs(spec.backoff, report, `${path}.backoff`);
  return {
    attempts,
    ...parseRetryOn(spec.retryOn),
    ...(perTryTimeoutMs === undefined ? {} : { perTryTimeoutMs }),
    ...(backoffMs === undefined ? {} : { backoffMs }),
    avoidPreviousHosts: spec.retryIgnorePreviousHosts !== false,
    otherLocalities: spec.retryRemoteLocalities === true,
  };
}

/** `5xx,503,reset`: numbers are status codes, the rest conditions as Envoy names them. */
function parseRetryOn(text = ""): { retryOn: string; retriableStatusCodes: number[] } {
  const parts = text
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "");
  if (parts.length === 0) return { retryOn: DEFAULT_RETRY_ON, retriableStatusCodes: [] };
  const codes = parts.filter((part) => /^[1-5]\d\d$/.test(part)).map(Number);
  const conditions = parts.filter((part) => !/^\d+$/.test(part));
  if (codes.length > 0 && !conditions.includes("retriable-status-codes")) {
    conditions.push("retriable-status-codes");
  }
  return { retryOn: conditions.join(","), retriableStatusCodes: codes };
}
