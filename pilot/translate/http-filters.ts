/** What a rule asks of filters before its action: faults and cross-origin answers. */

import type { CorsPolicy, HTTPFaultInjection } from "#crds/types/networking-v1.ts";
import type { Cors, Fault, StringMatch } from "#pilot/ir/route.ts";
import { durationMs, fraction, stringMatch } from "./fields.ts";
import { type Reporter, warn } from "./result.ts";

/** gRPC status names by their code (grpc, "Status codes and their use"). */
const GRPC_CODES = [
  "OK",
  "CANCELLED",
  "UNKNOWN",
  "INVALID_ARGUMENT",
  "DEADLINE_EXCEEDED",
  "NOT_FOUND",
  "ALREADY_EXISTS",
  "PERMISSION_DENIED",
  "RESOURCE_EXHAUSTED",
  "FAILED_PRECONDITION",
  "ABORTED",
  "OUT_OF_RANGE",
  "UNIMPLEMENTED",
  "INTERNAL",
  "UNAVAILABLE",
  "DATA_LOSS",
  "UNAUTHENTICATED",
];

/** Faults without a percentage strike nobody (Istio, "HTTPFaultInjection"). */
export function faultOf(
  spec: HTTPFaultInjection | undefined,
  report: Reporter,
  path: string,
): Fault | undefined {
  if (spec === undefined) return undefined;
  const delayMs = durationMs(spec.delay?.fixedDelay, report, `${path}.delay.fixedDelay`);
  const delay =
    delayMs === undefined
      ? undefined
      : {
          durationMs: delayMs,
          fraction: fraction(spec.delay?.percentage, spec.delay?.percent ?? 0),
        };
  const abort = abortOf(spec.abort, report, `${path}.abort`);
  for (const [name, part] of [
    ["delay", delay],
    ["abort", abort],
  ] as const) {
    if (part?.fraction === 0) {
      warn(report, `${path}.${name}.percentage`, "NoPercentage", `without it no request is hit`);
    }
  }
  if (delay === undefined && abort === undefined) return undefined;
  return {
    ...(delay === undefined ? {} : { delay }),
    ...(abort === undefined ? {} : { abort }),
  };
}

function abortOf(
  spec: HTTPFaultInjection["abort"],
  report: Reporter,
  path: string,
): Fault["abort"] | undefined {
  if (spec === undefined) return undefined;
  const share = fraction(spec.percentage, 0);
  if (spec.grpcStatus !== undefined) {
    const value = GRPC_CODES.indexOf(spec.grpcStatus);
    if (value >= 0) return { code: { kind: "grpc", value }, fraction: share };
    warn(report, `${path}.grpcStatus`, "UnknownStatus", `${spec.grpcStatus} is no gRPC status`);
    return undefined;
  }
  if (spec.httpStatus === undefined) return undefined;
  return { code: { kind: "http", value: spec.httpStatus }, fraction: share };
}

export function corsOf(
  spec: CorsPolicy | undefined,
  report: Reporter,
  path: string,
): Cors | undefined {
  if (spec === undefined) return undefined;
  const origins: StringMatch[] = (spec.allowOrigin ?? []).map((value) => ({
    kind: "exact",
    value,
  }));
  for (const [at, one] of (spec.allowOrigins ?? []).entries()) {
    const parsed = stringMatch(one, report, `${path}.allowOrigins[${at}]`);
    if (parsed.ok && parsed.match !== undefined) origins.push(parsed.match);
    else if (one.prefix === "") origins.push({ kind: "regex", value: ".*" });
  }
  const maxAgeMs = durationMs(spec.maxAge, report, `${path}.maxAge`);
  return {
    allowOrigins: origins,
    allowMethods: spec.allowMethods ?? [],
    allowHeaders: spec.allowHeaders ?? [],
    exposeHeaders: spec.exposeHeaders ?? [],
    ...(maxAgeMs === undefined ? {} : { maxAgeSeconds: Math.floor(maxAgeMs / 1000) }),
    ...(spec.allowCredentials === undefined || spec.allowCredentials === null
      ? {}
      : { allowCredentials: spec.allowCredentials }),
    ...(spec.unmatchedPreflights === "FORWARD" ? { forwardUnmatchedPreflights: true } : {}),
    ...(spec.unmatchedPreflights === "IGNORE" ? { forwardUnmatchedPreflights: false } : {}),
  };
}
