/** HttpConnectionManager.Tracing and its providers (envoy.tracers). */

import type { Collector, TraceProvider, Tracing, TracingTag } from "#pilot/ir/observation.ts";
import { type Extension, duration, extension, nonEmpty } from "#pilot/envoy/any.ts";

const TRACE = "envoy.config.trace.v3";

export function tracing(traced: Tracing | undefined): object {
  if (traced === undefined) return {};
  const { samplingPercent, maxTagLength, tags, childSpans, samplesById } = traced;
  return {
    tracing: {
      clientSampling: { value: 100 },
      randomSampling: { value: samplingPercent },
      overallSampling: { value: 100 },
      ...(maxTagLength === undefined ? {} : { maxPathTagLength: maxTagLength }),
      ...nonEmpty({ customTags: tags.map(customTag) }),
      provider: provider(traced.provider),
      ...(childSpans ? { spawnUpstreamSpan: true } : {}),
    },
    ...(samplesById
      ? {}
      : {
          requestIdExtension: {
            typedConfig: extension("", "envoy.extensions.request_id.uuid.v3.UuidRequestIdConfig", {
              useRequestIdForTraceSampling: false,
            }).typedConfig,
          },
        }),
  };
}

function provider(to: TraceProvider): Extension {
  const { collector } = to;
  switch (to.kind) {
    case "zipkin":
      return extension("envoy.tracers.zipkin", `${TRACE}.ZipkinConfig`, {
        collectorCluster: collector.cluster,
        collectorEndpoint: to.path,
        collectorHostname: collector.host,
        collectorEndpointVersion: "HTTP_JSON",
        traceId128bit: to.longTraceId,
        sharedSpanContext: false,
      });
    case "opentelemetry":
      return extension("envoy.tracers.opentelemetry", `${TRACE}.OpenTelemetryConfig`, {
        serviceName: to.serviceName,
        ...(to.http === undefined
          ? {
              grpcService: {
                ...grpcService(collector),
                ...(to.grpcTimeoutMs === undefined ? {} : { timeout: duration(to.grpcTimeoutMs) }),
                ...nonEmpty({
                  initialMetadata: to.headers.map(({ name, value }) => ({ key: name, value })),
                }),
              },
            }
          : { httpService: httpService(to.http, collector, to.headers) }),
        ...nonEmpty({ resourceDetectors: to.fromEnvironment ? [environmentDetector()] : [] }),
      });
    case "datadog":
      return extension("envoy.tracers.datadog", `${TRACE}.DatadogConfig`, {
        collectorCluster: collector.cluster,
        serviceName: to.serviceName,
        collectorHostname: collector.host,
      });
    case "skywalking":
      return extension("envoy.tracers.skywalking", `${TRACE}.SkyWalkingConfig`, {
        grpcService: grpcService(collector),
      });
  }
}

function grpcService({ cluster, host }: Collector): object {
  return { envoyGrpc: { clusterName: cluster, authority: host } };
}

function httpService(
  { path, timeoutMs }: { path: string; timeoutMs: number },
  { cluster, host }: Collector,
  headers: readonly { name: string; value: string }[],
): object {
  return {
    httpUri: {
      uri: `http://${host}/${path.replace(/^\/+/, "")}`,
      cluster,
      timeout: duration(timeoutMs),
    },
    ...nonEmpty({
      requestHeadersToAdd: headers.map(({ name, value }) => ({ header: { key: name, value } })),
    }),
  };
}

function environmentDetector(): Extension {
  const type = "envoy.extensions.tracers.opentelemetry.resource_detectors.v3";
  return extension(
    "envoy.tracers.opentelemetry.resource_detectors.environment",
    `${type}.EnvironmentResourceDetectorConfig`,
  );
}

function customTag({ name: tag, source }: TracingTag): object {
  switch (source.kind) {
    case "literal":
      return { tag, literal: { value: source.value } };
    case "environment":
      return { tag, environment: { name: source.name, defaultValue: source.fallback } };
    case "header":
      return { tag, requestHeader: { name: source.name, defaultValue: source.fallback } };
  }
}
