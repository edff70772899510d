/** Traces: provider, sampling and tags (Istio, "Telemetry", Tracing). */

import type { Tracing as TracingSpec } from "#crds/types/networking-v1.ts";
import type { TraceProvider as IrProvider, Tracing, TracingTag } from "#pilot/ir/observation.ts";
import {
  type TraceProvider,
  isTraceProvider,
  providerNamed,
} from "#pilot/model/extension-provider.ts";
import type { MeshConfig } from "#pilot/model/mesh-config.ts";
import { type Telemetry, compareText } from "#pilot/model/object.ts";
import { collectorOf, settingsOf } from "./access-logs.ts";
import { type Reporter, type Translated, error, reporter, warn } from "./result.ts";
import type { Viewpoint } from "./viewpoint.ts";

/** What the rules say together, the last word on each field. */
interface Merged {
  readonly provider?: { readonly name: string; readonly report: Reporter; readonly path: string };
  readonly spec: Omit<TracingSpec, "match" | "providers">;
}

/** Undefined where nothing is traced. */
export function tracingOf(
  mesh: MeshConfig,
  telemetries: readonly Telemetry[],
  viewpoint: Viewpoint,
): Translated<Tracing | undefined> {
  const reports: Reporter[] = [];
  const { provider: named, spec } = merge(mesh, telemetries, viewpoint, reports);
  const problems = (): Translated<undefined>["problems"] =>
    reports.flatMap((report) => report.problems);
  if (named === undefined || spec.disableSpanReporting === true || !mesh.tracing.enabled) {
    return { value: undefined, problems: problems() };
  }
  const provider = usable(mesh, named, viewpoint);
  if (provider === undefined) return { value: undefined, problems: problems() };
  const { samplingPercent, maxTagLength = provider.maxTagLength } = mesh.tracing;
  const length = provider.maxTagLength ?? maxTagLength;
  return {
    value: {
      provider: providerOf(provider, viewpoint),
      samplingPercent: spec.randomSamplingPercentage ?? samplingPercent,
      ...(length === undefined || length === 0 ? {} : { maxTagLength: length }),
      tags: tagsOf(spec, viewpoint),
      samplesById: spec.useRequestIdForTraceSampling !== false,
      childSpans: viewpoint.isGateway || provider.kind === "skywalking",
    },
    problems: problems(),
  };
}

function merge(
  mesh: MeshConfig,
  telemetries: readonly Telemetry[],
  { side }: Viewpoint,
  reports: Reporter[],
): Merged {
  const settings = reporter(settingsOf(mesh));
  reports.push(settings);
  const [first] = mesh.defaultProviders.tracing;
  let provider: Merged["provider"] =
    first === undefined
      ? undefined
      : { name: first, report: settings, path: "data.mesh.defaultProviders.tracing" };
  let merged: Merged["spec"] = {};
  for (const telemetry of telemetries) {
    const report = reporter(telemetry.key);
    reports.push(report);
    for (const [at, rule] of (telemetry.spec.tracing ?? []).entries()) {
      const { match, providers = [], ...fields } = rule;
      const mode = match?.mode ?? "CLIENT_AND_SERVER";
      if (mode !== "CLIENT_AND_SERVER" && mode !== side.toUpperCase()) continue;
      const path = `spec.tracing[${at}]`;
      const name = providers[0]?.name;
      if (name !== undefined) provider = { name, report, path: `${path}.providers` };
      tellUnsupported(rule, report, path);
      const given = Object.entries(fields).filter(
        ([, value]) => (value ?? undefined) !== undefined,
      );
      merged = { ...merged, ...Object.fromEntries(given) };
    }
  }
  return { ...(provider === undefined ? {} : { provider }), spec: merged };
}

/** What Envoy 1.30, the oldest proxy that is served, cannot do. */
function tellUnsupported(rule: TracingSpec, report: Reporter, path: string): void {
  if ((rule.providers ?? []).length > 1) {
    warn(
      report,
      `${path}.providers[1]`,
      "Unsupported",
      "a proxy traces to the first provider only",
    );
  }
  if (rule.disableContextPropagation === true) {
    const message = "proxies pass the context of a trace on";
    warn(report, `${path}.disableContextPropagation`, "Unsupported", message);
  }
  for (const [name, tag] of Object.entries(rule.customTags ?? {})) {
    if (tag.formatter === undefined) continue;
    const message = "tags are literals, headers, or from the environment";
    warn(report, `${path}.customTags.${name}.formatter`, "Unsupported", message);
  }
}

function usable(
  mesh: MeshConfig,
  { name, report, path }: NonNullable<Merged["provider"]>,
  { collectors }: Viewpoint,
): TraceProvider | undefined {
  const provider = providerNamed(mesh.extensionProviders, name);
  if (provider === undefined || !isTraceProvider(provider)) {
    const what = provider === undefined ? "is not declared in the mesh" : "takes no traces";
    error(report, path, "UnknownProvider", `provider ${name} ${what}`);
    return undefined;
  }
  if (!collectors.includes(provider.name)) {
    const message = `${provider.service}:${provider.port} of provider ${name} cannot be called`;
    error(report, path, "UnknownService", message);
    return undefined;
  }
  return provider;
}

function providerOf(provider: TraceProvider, { tracedAs }: Viewpoint): IrProvider {
  const collector = collectorOf(provider);
  switch (provider.kind) {
    case "zipkin":
      return {
        kind: "zipkin",
        collector,
        path: provider.path,
        longTraceId: provider.longTraceId,
      };
    case "opentelemetry":
      return {
        kind: "opentelemetry",
        collector,
        serviceName: tracedAs,
        ...(provider.http === undefined ? {} : { http: provider.http }),
        ...(provider.grpcTimeoutMs === undefined ? {} : { grpcTimeoutMs: provider.grpcTimeoutMs }),
        headers: provider.headers,
        fromEnvironment: provider.fromEnvironment,
      };
    case "datadog":
      return { kind: "datadog", collector, serviceName: tracedAs };
    case "skywalking":
      return { kind: "skywalking", collector };
  }
}

/**
 * Istio's own tags of a workload come from the proxy's environment, so that the workloads of a
 * namespace stay one class.
 */
const ISTIO_TAGS: readonly (readonly [string, string, string])[] = [
  ["istio.canonical_revision", "CANONICAL_REVISION", "latest"],
  ["istio.canonical_service", "CANONICAL_SERVICE", "unknown"],
  ["istio.cluster_id", "ISTIO_META_CLUSTER_ID", "unknown"],
  ["istio.mesh_id", "ISTIO_META_MESH_ID", "unknown"],
];

function tagsOf(spec: Merged["spec"], { namespace }: Viewpoint): TracingTag[] {
  const tags: TracingTag[] = [];
  if (spec.enableIstioTags !== false) {
    tags.push({ name: "istio.namespace", source: { kind: "literal", value: namespace } });
    for (const [name, variable, fallback] of ISTIO_TAGS) {
      tags.push({ name, source: { kind: "environment", name: variable, fallback } });
    }
  }
  for (const [name, { literal, environment, header }] of Object.entries(spec.customTags ?? {})) {
    if (literal !== undefined) {
      tags.push({ name, source: { kind: "literal", value: literal.value } });
    } else if (environment !== undefined || header !== undefined) {
      const source = environment ?? header;
      const kind = environment === undefined ? "header" : "environment";
      const from = { name: source?.name ?? "", fallback: source?.defaultValue ?? "" };
      tags.push({ name, source: { kind, ...from } });
    }
  }
  return tags.toSorted((left, right) => compareText(left.name, right.name));
}
