/**
 * Which DestinationRule applies to a service for a class of clients, and what it says for a port.
 */

import type { TrafficPolicy } from "#crds/types/networking-v1.ts";
import { cached } from "#pilot/model/cached.ts";
import { wildcardsOf } from "#pilot/model/host.ts";
import { matchesAll } from "#pilot/model/labels.ts";
import type { MeshConfig } from "#pilot/model/mesh-config.ts";
import type { Hostname } from "#pilot/model/name.ts";
import type { DestinationRule, Labels, Service } from "#pilot/model/object.ts";
import { type ObjectIndex, lookup } from "#pilot/model/object-index.ts";
import type { PushContext } from "#pilot/model/push-context.ts";
import type { ProxyScope } from "#pilot/model/scope.ts";
import { isRuleVisible } from "#pilot/model/visibility.ts";
import { epochOf } from "./epoch.ts";
import type { MergedRule, RuleSubset } from "./merged-rule.ts";

/** The rule for a service's host, the same object as long as its DestinationRules are the same. */
export function ruleFor(
  context: PushContext,
  scope: ProxyScope,
  service: Service,
): MergedRule | undefined {
  const { rules } = epochOf(context, scope);
  const known = rules.get(service);
  if (known !== undefined || rules.has(service)) return known;
  const rule = findRule(
    context.indexes.destinationRulesByHost,
    context.mesh,
    service.host,
    scope.namespace,
    service.namespace,
    scope.labels,
  );
  rules.set(service, rule);
  return rule;
}

/**
 * Istio's order: the client's namespace, then the service's, then the root namespace; in each the
 * most specific host.
 */
function findRule(
  index: ObjectIndex<DestinationRule>,
  mesh: MeshConfig,
  host: Hostname,
  clientNamespace: string,
  serviceNamespace: string,
  labels: Labels,
): MergedRule | undefined {
  const names = [host, ...wildcardsOf(host)];
  for (const namespace of new Set([clientNamespace, serviceNamespace, mesh.rootNamespace])) {
    for (const name of names) {
      const all = lookup(index, name);
      if (all.length === 0) continue;
      const rules = all.filter(
        (rule) =>
          rule.namespace === namespace &&
          (namespace === clientNamespace || isRuleVisible(rule, mesh, clientNamespace)) &&
          selectsClient(rule, clientNamespace, labels),
      );
      const first = rules[0];
      if (first !== undefined) return mergeRules(first, rules);
    }
  }
  return undefined;
}

/** A rule with a selector is for chosen clients of its own namespace only. */
function selectsClient(rule: DestinationRule, clientNamespace: string, labels: Labels): boolean {
  const selector = rule.spec.workloadSelector?.matchLabels;
  if (selector === undefined || Object.keys(selector).length === 0) return true;
  return rule.namespace === clientNamespace && matchesAll(selector, labels);
}

const mergeRules = cached(buildMergedRule);

function buildMergedRule(_first: DestinationRule, rules: readonly DestinationRule[]): MergedRule {
  const withPolicy = rules.find((rule) => rule.spec.trafficPolicy !== undefined);
  const subsets = new Map<string, RuleSubset>();
  for (const rule of rules) {
    for (const [at, subset] of (rule.spec.subsets ?? []).entries()) {
      if (!subsets.has(subset.name)) {
        subsets.set(subset.name, { subset, rule, path: `spec.subsets[${at}]` });
      }
    }
  }
  return {
    rules,
    ...(withPolicy?.spec.trafficPolicy === undefined
      ? {}
      : { policy: { rule: withPolicy, value: withPolicy.spec.trafficPolicy } }),
    subsets: [...subsets.values()],
  };
}

/** The policy of a service's port, and of a subset when one is given, all levels resolved. */
export function policyFor(
  rule: MergedRule | undefined,
  port: number,
  subset?: RuleSubset,
): TrafficPolicy {
  const base = overlay({}, rule?.policy?.value, port);
  return subset === undefined ? base : overlay(base, subset.subset.trafficPolicy, port);
}

/** Fields of the upper level replace whole fields; those of a port replace all, also by nothing. */
function overlay(
  lower: TrafficPolicy,
  upper: TrafficPolicy | undefined,
  port: number,
): TrafficPolicy {
  if (upper === undefined) return lower;
  const merged: TrafficPolicy = { ...lower, ...upper };
  const ofPort = (upper.portLevelSettings ?? []).find((one) => one.port?.number === port);
  if (ofPort === undefined) return merged;
  return {
    ...merged,
    connectionPool: ofPort.connectionPool,
    loadBalancer: ofPort.loadBalancer,
    outlierDetection: ofPort.outlierDetection,
    tls: ofPort.tls,
  };
}
