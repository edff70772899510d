import type { IrProblem } from "#pilot/ir/scope-ir.ts";
import { type Labels, type AnyConfigObject } from "#pilot/model/object.ts";
import { parseProxy } from "#pilot/model/proxy.ts";
import type { Proxy } from "#pilot/model/proxy.ts";
import { type PushContext, allGateways, allServices } from "#pilot/model/push-context.ts";
import { scopesOf } from "#pilot/model/scope.ts";
import { translateScope } from "#pilot/translate/translate.ts";

/** Gateways whose workloads are imagined. */
const MAX_GATEWAYS = 8;
/**
 * What an admission may cost: values in the object's spec, once for each port that it may be at. That is about a
 * second at worst, in which pilot does nothing else.
 */
const MAX_WORK = 100_000;

/**
 * What translation would say, for a workload beside the object and for one of each gateway that it
 * names. That is the translation that proxies get, so nothing here repeats what it knows.
 */
export function translationProblems(world: PushContext, object: AnyConfigObject): IrProblem[] {
  const size = sizeOf(object.spec);
  const ports = allServices(world).reduce((sum, { ports: { length } }) => sum + length, 0);
  let left = MAX_WORK - size * Math.max(1, ports);
  const affords = (servers: number): boolean => (left -= size * servers) >= 0;
  if (!affords(0)) return [untried(object)];
  const named = allGateways(world).slice(0, MAX_GATEWAYS);
  const gateways = named.filter(({ spec }) => affords(spec.servers?.length ?? 0));
  const proxies = [
    imagined("sidecar", object.namespace, labelsAround(object)),
    ...gateways.map(({ namespace, spec }) => imagined("router", namespace, spec.selector ?? {})),
  ];
  const problems = proxies.flatMap((proxy) => {
    if (proxy === undefined) return [];
    const { outbound, workload } = scopesOf(world, proxy);
    return [outbound, workload].flatMap((scope) => {
      const ir = translateScope(world, scope);
      // Lists are made when they are looked at.
      const made = [ir.clusters, ir.listeners, ir.routes];
      return made.length > 0 ? ir.problems : [];
    });
  });
  return gateways.length === named.length ? problems : [...problems, untried(object)];
}

/** Values in JSON, itself included. */
function sizeOf(value: unknown): number {
  if (typeof value !== "object" || value === null) return 1;
  return Object.values(value).reduce((sum: number, one: unknown) => sum + sizeOf(one), 1);
}

function untried({ key }: AnyConfigObject): IrProblem {
  const message = "too large to be tried on all that it concerns: its status will say the rest";
  return { object: key, path: "", severity: "warning", reason: "NotTried", message };
}

/** Labels that the object selects by, so that it is about the workload. */
function labelsAround({ spec }: AnyConfigObject): Labels {
  const { workloadSelector, selector } = spec as {
    workloadSelector?: { labels?: Labels; matchLabels?: Labels };
    selector?: { matchLabels?: Labels };
  };
  return workloadSelector?.labels ?? workloadSelector?.matchLabels ?? selector?.matchLabels ?? {};
}

function imagined(type: Proxy["type"], namespace: string, labels: Labels): Proxy | undefined {
  const parsed = parseProxy({
    id: `${type}~192.0.2.1~imagined.${namespace}~${namespace}.svc.cluster.local`,
    metadata: { NAMESPACE: namespace, LABELS: labels },
  });
  return parsed.ok ? parsed.proxy : undefined;
}
