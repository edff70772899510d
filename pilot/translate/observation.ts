/** What a scope's listeners tell of requests and connections, and to whom (Istio, "Telemetry"). */

import type { AccessLog, Tracing } from "#pilot/ir/observation.ts";
import type { IrProblem } from "#pilot/ir/scope-ir.ts";
import { cached } from "#pilot/model/cached.ts";
import type { MeshConfig } from "#pilot/model/mesh-config.ts";
import type { Telemetry } from "#pilot/model/object.ts";
import type { PushContext } from "#pilot/model/push-context.ts";
import type { ProxyScope } from "#pilot/model/scope.ts";
import { targetsOfTelemetry, telemetriesOf } from "#pilot/model/telemetries.ts";
import { isGatewayTarget } from "#pilot/model/workload-selection.ts";
import { accessLogsOf } from "./access-logs.ts";
import { type Reporter, type Translated, reporter, warn } from "./result.ts";
import { tracingOf } from "./tracing.ts";
import type { Side, Viewpoint } from "./viewpoint.ts";

/** Fields of a listener. */
export interface Observed {
  readonly accessLogs?: readonly AccessLog[];
  readonly ignoresUnmatched?: true;
  readonly tracing?: Tracing;
}

/** The same object for as long as the settings and Telemetry objects are. */
export function observationOf(
  context: PushContext,
  scope: ProxyScope,
  side: Side,
): Translated<Observed> {
  const viewpoint: Viewpoint = {
    side,
    collectors: scope.collectors ?? [],
    tracedAs: scope.tracedAs ?? "",
    namespace: scope.namespace,
    isGateway: scope.proxyType === "router",
  };
  const telemetries = telemetriesOf(context, scope.telemetry);
  return observation(context.mesh, telemetries, JSON.stringify(viewpoint));
}

const observation = cached(
  (
    mesh: MeshConfig,
    telemetries: readonly Telemetry[],
    viewpointText: string,
  ): Translated<Observed> => {
    const viewpoint = JSON.parse(viewpointText) as Viewpoint;
    const problems: IrProblem[] = telemetries.flatMap(problemsOfMetrics);
    const accessLogs = accessLogsOf(mesh, telemetries, viewpoint);
    const tracing = tracingOf(mesh, telemetries, viewpoint);
    problems.push(...accessLogs.problems, ...tracing.problems);
    const value: Observed = {
      ...(accessLogs.value.length === 0 ? {} : { accessLogs: accessLogs.value }),
      ...(accessLogs.value.length === 0 || mesh.listenerLog
        ? {}
        : { ignoresUnmatched: true as const }),
      ...(tracing.value === undefined ? {} : { tracing: tracing.value }),
    };
    return { value, problems };
  },
  256,
);

/**
 * Metrics are the proxy's own statistics, under Envoy's names: there is nothing in a stock proxy that
 * would make others.
 */
function problemsOfMetrics(telemetry: Telemetry): readonly IrProblem[] {
  const report: Reporter = reporter(telemetry.key);
  for (const [at, metrics] of (telemetry.spec.metrics ?? []).entries()) {
    const path = `spec.metrics[${at}]`;
    if ((metrics.overrides ?? []).length > 0) {
      const message = "metrics are the proxies' own statistics, which cannot be overridden";
      warn(report, `${path}.overrides`, "Unsupported", message);
    }
    if (metrics.reportingInterval !== undefined) {
      const message = "metrics are read from proxies when they are scraped";
      warn(report, `${path}.reportingInterval`, "Unsupported", message);
    }
  }
  for (const target of targetsOfTelemetry(telemetry)) {
    if (isGatewayTarget(target)) continue;
    warn(report, "spec.targetRefs", "Unsupported", `${target.kind} has no proxies of its own`);
  }
  return report.problems;
}
