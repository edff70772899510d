/** envoy.access_loggers: to a file, to a stream of records, to OpenTelemetry. */

import type { AccessLog, Collector, LogFormat, StreamLog } from "#pilot/ir/observation.ts";
import { type Extension, any, extension, nonEmpty } from "#pilot/envoy/any.ts";

const LOGGERS = "envoy.extensions.access_loggers";
const CEL = "envoy.extensions.access_loggers.filters.cel.v3.ExpressionFilter";

type Logger = Extension & { readonly filter?: object };

export function accessLoggers(logs: readonly AccessLog[] = []): { accessLog?: readonly Logger[] } {
  return nonEmpty({ accessLog: logs.map((log) => withFilters(log, [])) });
}

/** Only connections that found no chain or cluster: what no other filter can report. */
export function unmatchedLoggers(logs: readonly AccessLog[] = []): {
  accessLog?: readonly Logger[];
} {
  const unmatched = { responseFlagFilter: { flags: ["NR"] } };
  return nonEmpty({ accessLog: logs.map((log) => withFilters(log, [unmatched])) });
}

function withFilters(log: AccessLog, more: readonly object[]): Logger {
  const own =
    log.filter === undefined
      ? []
      : [
          {
            extensionFilter: {
              name: "envoy.access_loggers.extension_filters.cel",
              typedConfig: any(CEL, { expression: log.filter }),
            },
          },
        ];
  const filters = [...more, ...own];
  const [first] = filters;
  if (first === undefined) return loggerOf(log);
  return { ...loggerOf(log), filter: filters.length === 1 ? first : { andFilter: { filters } } };
}

function loggerOf(log: AccessLog): Extension {
  switch (log.kind) {
    case "file":
      return extension("envoy.access_loggers.file", `${LOGGERS}.file.v3.FileAccessLog`, {
        path: log.path,
        logFormat: {
          ...logFormat(log.format),
          ...(log.omitsEmpty ? { omitEmptyValues: true } : {}),
          ...nonEmpty({ formatters: formattersFor(JSON.stringify(log.format)) }),
        },
      });
    case "stream":
      return streamLogger(log);
    case "opentelemetry":
      return extension(
        "envoy.access_loggers.open_telemetry",
        `${LOGGERS}.open_telemetry.v3.OpenTelemetryAccessLogConfig`,
        {
          commonConfig: common(log.name, log.collector),
          disableBuiltinLabels: true,
          body: { stringValue: log.text },
          ...(Object.keys(log.labels).length === 0
            ? {}
            : { attributes: { values: Object.entries(log.labels).map(attribute) } }),
          ...nonEmpty({ formatters: formattersFor(log.text + JSON.stringify(log.labels)) }),
        },
      );
  }
}

function attribute([key, value]: [string, unknown]): object {
  return { key, value: { stringValue: typeof value === "string" ? value : JSON.stringify(value) } };
}

function streamLogger(log: StreamLog): Extension {
  const commonConfig = {
    ...common(log.name, log.collector),
    ...nonEmpty({ filterStateObjectsToLog: log.states }),
  };
  return log.of === "requests"
    ? extension("envoy.access_loggers.http_grpc", `${LOGGERS}.grpc.v3.HttpGrpcAccessLogConfig`, {
        commonConfig,
        ...nonEmpty({
          additionalRequestHeadersToLog: log.requestHeaders,
          additionalResponseHeadersToLog: log.responseHeaders,
          additionalResponseTrailersToLog: log.responseTrailers,
        }),
      })
    : extension("envoy.access_loggers.tcp_grpc", `${LOGGERS}.grpc.v3.TcpGrpcAccessLogConfig`, {
        commonConfig,
      });
}

function common(logName: string, { cluster, host }: Collector): object {
  return {
    logName,
    grpcService: { envoyGrpc: { clusterName: cluster, authority: host } },
    transportApiVersion: "V3",
  };
}

function logFormat(format: LogFormat): object {
  return format.kind === "text"
    ? { textFormatSource: { inlineString: format.text } }
    : { jsonFormat: format.fields };
}

/** Operators that Envoy only knows by an extension. */
function formattersFor(format: string): Extension[] {
  if (!format.includes("%REQ_WITHOUT_QUERY")) return [];
  const type = "envoy.extensions.formatter.req_without_query.v3.ReqWithoutQuery";
  return [extension("envoy.formatter.req_without_query", type)];
}
