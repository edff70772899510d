import type { IrProblem } from "#pilot/ir/scope-ir.ts";
import { type Labels, type AnyConfigObject } from "#pilot/model/object.ts";
import { parseProxy } from "#pilot/model/proxy.ts";
import type { Proxy } from "#pilot/model/proxy.ts";
import { type PushContext, allGateways } from "#pilot/model/push-context.ts";
import { scopesOf } from "#pilot/model/scope.ts";
import { translateScope } from "#pilot/translate/translate.ts";

/** Gateways whose workloads are imagined. */
const MAX_GATEWAYS = 8;

/**
 * What translation would say, for a workload beside the object and for one of each gateway that it
 * names. That is the translation that proxies get, so nothing here repeats what it knows.
 */
export function translationProblems(world: PushContext, object: AnyConfigObject): IrProblem[] {
  const gateways = allGateways(world).slice(0, MAX_GATEWAYS);
  const proxies = [
    imagined("sidecar", object.namespace, labelsAround(object)),
    ...gateways.map(({ namespace, spec }) => imagined("router", namespace, spec.selector ?? {})),
  ];
  return proxies.flatMap((proxy) => {
    if (proxy === undefined) return [];
    const { outbound, workload } = scopesOf(world, proxy);
    return [outbound, workload].flatMap((scope) => {
      const ir = translateScope(world, scope);
      // Lists are made when they are looked at.
      const made = [ir.clusters, ir.listeners, ir.routes];
      return made.length > 0 ? ir.problems : [];
    });
  });
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
