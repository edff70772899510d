/** `extensionProviders` and `defaultProviders` of the mesh's settings. */

import { parseDuration } from "#pilot/model/duration.ts";
import {
  BUILT_IN_PROVIDERS,
  type DefaultProviders,
  type ExtensionProvider,
  type HeaderValue,
  type LogFormat,
} from "#pilot/model/extension-provider.ts";
import { type Shape, checkShape } from "./shape.ts";

export interface ProvidersResult {
  readonly providers: readonly ExtensionProvider[];
  /** Paths start at the list: `[0].zipkin.service`. */
  readonly problems: readonly { readonly path: string; readonly message: string }[];
}

const TEXTS: Shape = ["text"];
const ANY_FIELDS: Shape = {};
const HEADERS: Shape = [{ "name!": "text", value: "text", envName: "text" }];
const COLLECTOR = { "service!": "text", "port!": "port" } as const;

const SHAPES: Readonly<Record<string, Shape>> = {
  envoyFileAccessLog: {
    path: "text",
    logFormat: { text: "text", labels: ANY_FIELDS },
    omitEmptyValues: "boolean",
  },
  envoyHttpAls: {
    ...COLLECTOR,
    logName: "text",
    filterStateObjectsToLog: TEXTS,
    additionalRequestHeadersToLog: TEXTS,
    additionalResponseHeadersToLog: TEXTS,
    additionalResponseTrailersToLog: TEXTS,
  },
  envoyTcpAls: { ...COLLECTOR, logName: "text", filterStateObjectsToLog: TEXTS },
  envoyOtelAls: {
    ...COLLECTOR,
    logName: "text",
    logFormat: { text: "text", labels: ANY_FIELDS },
  },
  zipkin: {
    ...COLLECTOR,
    maxTagLength: "count",
    enable64bitTraceId: "boolean",
    path: "text",
  },
  opentelemetry: {
    ...COLLECTOR,
    maxTagLength: "count",
    http: { path: "text", timeout: "text", headers: HEADERS },
    grpc: { timeout: "text", initialMetadata: HEADERS },
    resourceDetectors: { environment: ANY_FIELDS },
  },
  datadog: { ...COLLECTOR, maxTagLength: "count" },
  skywalking: { ...COLLECTOR },
};

/** Known to Istio; what is done with them is not the business of logs and traces. */
const OTHERS = [
  "prometheus",
  "stackdriver",
  "envoyExtAuthzHttp",
  "envoyExtAuthzGrpc",
  "sds",
] as const;

type Fields = ReadonlyMap<string, unknown>;

/** Declared providers before the built-in ones; a wrong one is a problem and isn't there. */
export function parseProviders(value: unknown): ProvidersResult | undefined {
  if (!Array.isArray(value)) return undefined;
  const providers: ExtensionProvider[] = [];
  const problems: { path: string; message: string }[] = [];
  for (const [at, one] of value.entries()) {
    const fields = fieldsOf(one);
    const name = fields.get("name");
    if (typeof name !== "string" || name === "") {
      problems.push({ path: `[${at}].name`, message: "is missing" });
      continue;
    }
    const kinds = [...fields.keys()].filter((field) => field !== "name");
    const [kind = ""] = kinds;
    const shape = Object.hasOwn(SHAPES, kind) ? SHAPES[kind] : undefined;
    const wrong = kinds.length === 1 ? checkKind(kind, fields.get(kind), shape) : ONE_KIND;
    for (const problem of wrong) {
      problems.push({ path: `[${at}]${problem.path}`, message: problem.message });
    }
    if (wrong.length === 0) providers.push(providerOf(name, kind, fieldsOf(fields.get(kind))));
  }
  const named = new Set(providers.map((one) => one.name));
  const builtIn = BUILT_IN_PROVIDERS.filter((one) => !named.has(one.name));
  return { providers: [...providers, ...builtIn], problems };
}

const ONE_KIND = [{ path: "", message: "must have exactly one kind beside its name" }];

function checkKind(
  kind: string,
  value: unknown,
  shape: Shape | undefined,
): readonly { path: string; message: string }[] {
  if (shape !== undefined) {
    const unknown = unknownFields(value, shape).map((field) => ({
      path: `.${kind}.${field}`,
      message: "is not supported by this mesh",
    }));
    return [...checkShape(value ?? {}, shape, `.${kind}`), ...unknown];
  }
  if (OTHERS.some((other) => other === kind)) return [];
  return [{ path: `.${kind}`, message: "is not supported by this mesh" }];
}

function unknownFields(value: unknown, shape: Shape): string[] {
  const known = new Set(Object.keys(shape).map((name) => name.replace(/!$/, "")));
  return [...fieldsOf(value).keys()].filter((field) => !known.has(field));
}

function providerOf(name: string, kind: string, fields: Fields): ExtensionProvider {
  const address = { service: text(fields, "service"), port: Number(fields.get("port") ?? 0) };
  const length = fields.get("maxTagLength");
  const maxTagLength = typeof length === "number" ? { maxTagLength: length } : {};
  const format = fieldsOf(fields.get("logFormat"));
  switch (kind) {
    case "envoyFileAccessLog": {
      const parsed = logFormat(format);
      return {
        kind: "file-log",
        name,
        path: text(fields, "path") || "/dev/stdout",
        ...(parsed === undefined ? {} : { format: parsed }),
        omitEmptyValues: fields.get("omitEmptyValues") === true,
      };
    }
    case "envoyHttpAls":
    case "envoyTcpAls":
      return {
        kind: kind === "envoyHttpAls" ? "http-grpc-log" : "tcp-grpc-log",
        name,
        ...address,
        logName:
          text(fields, "logName") ||
          (kind === "envoyHttpAls" ? "http_envoy_accesslog" : "tcp_envoy_accesslog"),
        filterStateObjects: texts(fields, "filterStateObjectsToLog"),
        requestHeaders: texts(fields, "additionalRequestHeadersToLog"),
        responseHeaders: texts(fields, "additionalResponseHeadersToLog"),
        responseTrailers: texts(fields, "additionalResponseTrailersToLog"),
      };
    case "envoyOtelAls":
      return {
        kind: "opentelemetry-log",
        name,
        ...address,
        logName: text(fields, "logName") || "otel_envoy_accesslog",
        ...(text(format, "text") === "" ? {} : { text: text(format, "text") }),
        ...(format.has("labels")
          ? { labels: Object.fromEntries(fieldsOf(format.get("labels"))) }
          : {}),
      };
    case "zipkin":
      return {
        kind,
        name,
        ...address,
        ...maxTagLength,
        longTraceId: fields.get("enable64bitTraceId") !== true,
        path: text(fields, "path") || "/api/v2/spans",
      };
    case "opentelemetry":
      return openTelemetry(name, fields, { ...address, ...maxTagLength });
    case "datadog":
    case "skywalking":
      return { kind, name, ...address, ...maxTagLength };
    default:
      return { kind: "other", name, what: kind, settings: Object.fromEntries(fields) };
  }
}

function openTelemetry(
  name: string,
  fields: Fields,
  rest: { service: string; port: number; maxTagLength?: number },
): ExtensionProvider {
  const http = fieldsOf(fields.get("http"));
  const grpc = fieldsOf(fields.get("grpc"));
  const grpcTimeoutMs = parseDuration(text(grpc, "timeout"));
  return {
    kind: "opentelemetry",
    name,
    ...rest,
    ...(fields.has("http")
      ? {
          http: {
            path: text(http, "path"),
            timeoutMs: parseDuration(text(http, "timeout")) ?? 5000,
          },
        }
      : {}),
    ...(grpcTimeoutMs === undefined ? {} : { grpcTimeoutMs }),
    headers: headers(fields.has("http") ? http.get("headers") : grpc.get("initialMetadata")),
    fromEnvironment: fieldsOf(fields.get("resourceDetectors")).has("environment"),
  };
}

/** Empty labels mean Istio's default fields. */
function logFormat(format: Fields): LogFormat | undefined {
  if (text(format, "text") !== "") return { kind: "text", text: text(format, "text") };
  if (!format.has("labels")) return undefined;
  return { kind: "labels", labels: Object.fromEntries(fieldsOf(format.get("labels"))) };
}

function headers(value: unknown): HeaderValue[] {
  if (!Array.isArray(value)) return [];
  return value.map((one) => {
    const fields = fieldsOf(one);
    const variable = text(fields, "envName");
    return {
      name: text(fields, "name"),
      value: variable === "" ? text(fields, "value") : `%ENVIRONMENT(${variable})%`,
    };
  });
}

/** Names of providers that hold where no Telemetry object says otherwise. */
export function parseDefaultProviders(value: unknown): DefaultProviders | undefined {
  const shape: Shape = { accessLogging: TEXTS, tracing: TEXTS, metrics: TEXTS };
  if (typeof value !== "object" || value === null || checkShape(value, shape, "").length > 0) {
    return undefined;
  }
  const fields = fieldsOf(value);
  return {
    accessLogging: texts(fields, "accessLogging"),
    tracing: texts(fields, "tracing"),
    metrics: texts(fields, "metrics"),
  };
}

function fieldsOf(value: unknown): Fields {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return new Map();
  return new Map(Object.entries(value));
}

function text(fields: Fields, name: string): string {
  const value = fields.get(name);
  return typeof value === "string" ? value : "";
}

function texts(fields: Fields, name: string): string[] {
  const value = fields.get(name);
  return Array.isArray(value) ? value.filter((one) => typeof one === "string") : [];
}
