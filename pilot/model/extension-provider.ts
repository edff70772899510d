/** `extensionProviders` of the mesh's settings: where logs and traces can go, by name. */

export interface HeaderValue {
  readonly name: string;
  readonly value: string;
}

export type LogFormat =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "labels"; readonly labels: Readonly<Record<string, unknown>> };

/** A service that something is sent to, as written: `host` or `namespace/host`. */
export interface CollectorAddress {
  readonly service: string;
  readonly port: number;
}

export interface FileLogProvider {
  readonly kind: "file-log";
  readonly name: string;
  readonly path: string;
  /** Absent: the mesh's own for the built-in provider, else Istio's default text. */
  readonly format?: LogFormat;
  readonly omitEmptyValues: boolean;
}

export interface GrpcLogProvider extends CollectorAddress {
  readonly kind: "http-grpc-log" | "tcp-grpc-log";
  readonly name: string;
  readonly logName: string;
  readonly filterStateObjects: readonly string[];
  readonly requestHeaders: readonly string[];
  readonly responseHeaders: readonly string[];
  readonly responseTrailers: readonly string[];
}

export interface OtelLogProvider extends CollectorAddress {
  readonly kind: "opentelemetry-log";
  readonly name: string;
  readonly logName: string;
  readonly text?: string;
  readonly labels?: Readonly<Record<string, unknown>>;
}

export interface ZipkinProvider extends CollectorAddress {
  readonly kind: "zipkin";
  readonly name: string;
  readonly maxTagLength?: number;
  readonly longTraceId: boolean;
  readonly path: string;
}

export interface OtelTraceProvider extends CollectorAddress {
  readonly kind: "opentelemetry";
  readonly name: string;
  readonly maxTagLength?: number;
  readonly http?: { readonly path: string; readonly timeoutMs: number };
  readonly grpcTimeoutMs?: number;
  readonly headers: readonly HeaderValue[];
  /** Resource attributes come from the proxy's environment as well. */
  readonly fromEnvironment: boolean;
}

export interface PlainTraceProvider extends CollectorAddress {
  readonly kind: "datadog" | "skywalking";
  readonly name: string;
  readonly maxTagLength?: number;
}

/** Known to Istio, of no use to logs and traces here; `what` is its field. */
export interface OtherProvider {
  readonly kind: "other";
  readonly name: string;
  readonly what: string;
  /** For rooms that know more of it. */
  readonly settings: unknown;
}

export type ExtensionProvider =
  | FileLogProvider
  | GrpcLogProvider
  | OtelLogProvider
  | ZipkinProvider
  | OtelTraceProvider
  | PlainTraceProvider
  | OtherProvider;

export type LogProvider = FileLogProvider | GrpcLogProvider | OtelLogProvider;
export type TraceProvider = ZipkinProvider | OtelTraceProvider | PlainTraceProvider;

export interface DefaultProviders {
  readonly accessLogging: readonly string[];
  readonly tracing: readonly string[];
  readonly metrics: readonly string[];
}

/** The name whose format is that of the mesh's settings. */
export const ENVOY_PROVIDER = "envoy";

/** Istio's: they exist without being declared. */
export const BUILT_IN_PROVIDERS: readonly ExtensionProvider[] = [
  { kind: "other", name: "prometheus", what: "prometheus", settings: {} },
  { kind: "other", name: "stackdriver", what: "stackdriver", settings: {} },
  { kind: "file-log", name: ENVOY_PROVIDER, path: "/dev/stdout", omitEmptyValues: false },
];

export function isLogProvider(provider: ExtensionProvider): provider is LogProvider {
  return provider.kind.endsWith("-log");
}

export function isTraceProvider(provider: ExtensionProvider): provider is TraceProvider {
  return ["zipkin", "opentelemetry", "datadog", "skywalking"].includes(provider.kind);
}

/** By name, whatever its case. */
export function providerNamed(
  providers: readonly ExtensionProvider[],
  name: string,
): ExtensionProvider | undefined {
  const wanted = name.toLowerCase();
  return providers.find((one) => one.name.toLowerCase() === wanted);
}
