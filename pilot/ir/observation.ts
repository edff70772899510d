/** What is told of requests and connections, and to whom. */

import type { ClusterName } from "./name.ts";

/** A service that is told. */
export interface Collector {
  readonly cluster: ClusterName;
  readonly host: string;
}

export type LogFormat =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "fields"; readonly fields: Readonly<Record<string, unknown>> };

export interface FileLog {
  readonly kind: "file";
  readonly path: string;
  readonly format: LogFormat;
  readonly omitsEmpty: boolean;
}

/** A stream of records; `requests` has what HTTP knows, `connections` has bytes and addresses. */
export interface StreamLog {
  readonly kind: "stream";
  readonly of: "requests" | "connections";
  readonly name: string;
  readonly collector: Collector;
  readonly states: readonly string[];
  readonly requestHeaders: readonly string[];
  readonly responseHeaders: readonly string[];
  readonly responseTrailers: readonly string[];
}

export interface OpenTelemetryLog {
  readonly kind: "opentelemetry";
  readonly name: string;
  readonly collector: Collector;
  readonly text: string;
  readonly labels: Readonly<Record<string, unknown>>;
}

/** `filter` is a CEL expression: what it is true for is written. */
export type AccessLog = (FileLog | StreamLog | OpenTelemetryLog) & { readonly filter?: string };

export interface TracingTag {
  readonly name: string;
  readonly source:
    | { readonly kind: "literal"; readonly value: string }
    | { readonly kind: "environment" | "header"; readonly name: string; readonly fallback: string };
}

export type TraceProvider =
  | {
      readonly kind: "zipkin";
      readonly collector: Collector;
      readonly path: string;
      readonly longTraceId: boolean;
    }
  | {
      readonly kind: "opentelemetry";
      readonly collector: Collector;
      readonly serviceName: string;
      readonly http?: { readonly path: string; readonly timeoutMs: number };
      readonly grpcTimeoutMs?: number;
      readonly headers: readonly { readonly name: string; readonly value: string }[];
      readonly fromEnvironment: boolean;
    }
  | { readonly kind: "datadog"; readonly collector: Collector; readonly serviceName: string }
  | { readonly kind: "skywalking"; readonly collector: Collector };

export interface Tracing {
  readonly provider: TraceProvider;
  readonly samplingPercent: number;
  readonly maxTagLength?: number;
  readonly tags: readonly TracingTag[];
  /** The decision travels in the request's id. */
  readonly samplesById: boolean;
  /** The call to the next hop is a span of its own. */
  readonly childSpans: boolean;
}
