/**
 * Which DestinationRule applies to a service for a class of clients, and what it says for a port.
 */

import type { TrafficPolicy } from "#crds/types/networking-v1.ts";
import type { IrProblem } from "#pilot/ir/scope-ir.ts";
import { cached } from "#pilot/model/cached.ts";
import { matchesAll } from "#pilot/model/labels.ts";
import type { MeshConfig } from "#pilot/model/mesh-config.ts";
import type { Hostname } from "#pilot/model/name.ts";
import type { DestinationRule, Labels, Service } from "#pilot/model/object.ts";
import { type ObjectIndex, coveringKeys, lookup } from "#pilot/model/object-index.ts";
import type { PushContext } from "#pilot/model/push-context.ts";
import type { ProxyScope } from "#pilot/model/scope.ts";
import { isRuleVisible } from "#pilot/model/visibility.ts";
import type { MergedRule, RuleSubset } from "./merged-rule.ts";
import { reporter, warn } from "./result.ts";

/** The rule for a service's host, the same object as long as its DestinationRules are the same. */
export function ruleFor(
  context: PushContext,
  scope: ProxyScope,
  service: Service,
): MergedRule | undefined {
  return findRule(
    context.indexes.destinationRulesByHost,
    context.mesh,
    service.host,
    scope.namespace,
    service.namespace,
    scope.labels,
  );
}

/**
 * Istio's order: the client's namespace, then the service's, then the root namespace; in each the
 * most specific host. For clients of the root namespace, rules there that all namespaces see come
 * last as well: they are meant for the mesh, not for its gateways above all.
 */
function findRule(
  index: ObjectIndex<DestinationRule>,
  mesh: MeshConfig,
  host: Hostname,
  clientNamespace: string,
  serviceNamespace: string,
  labels: Labels,
): MergedRule | undefined {
  const candidates = coveringKeys(index, host).flatMap((name) => {
    const all = lookup(index, name);
    return all.length === 0
      ? []
      : [all.filter((rule) => isRuleVisible(rule, mesh, clientNamespace))];
  });
  if (candidates.length === 0) return undefined;
  const own = (rule: DestinationRule): boolean =>
    rule.namespace === clientNamespace &&
    (clientNamespace !== mesh.rootNamespace || isPrivate(rule, mesh));
  const inNamespace =
    (namespace: string) =>
    (rule: DestinationRule): boolean =>
      rule.namespace === namespace;
  for (const isHere of [own, inNamespace(serviceNamespace), inNamespace(mesh.rootNamespace)]) {
    for (const rules of candidates) {
      const chosen = chooseRules(rules.filter(isHere), clientNamespace, labels);
      if (chosen[0] !== undefined) return mergeRules(chosen[0], chosen);
    }
  }
  return undefined;
}

/** Seen in its own namespace only. */
function isPrivate(rule: DestinationRule, mesh: MeshConfig): boolean {
  const own = rule.spec.exportTo ?? [];
  const exportTo = own.length > 0 ? own : mesh.defaultDestinationRuleExportTo;
  return exportTo.every((entry) => entry === "." || entry === "~" || entry === rule.namespace);
}

/**
 * A rule with a selector is for chosen clients of its own namespace only, and for them replaces
 * rules for all; with it go those that say the same selector.
 */
function chooseRules(
  rules: readonly DestinationRule[],
  clientNamespace: string,
  labels: Labels,
): DestinationRule[] {
  const special = rules.find((rule) => {
    const selector = selectorOf(rule);
    return selector !== undefined && rule.namespace === clientNamespace
      ? matchesAll(selector, labels)
      : false;
  });
  const wanted = special === undefined ? undefined : selectorOf(special);
  return rules.filter((rule) => {
    const selector = selectorOf(rule);
    if (selector === undefined || wanted === undefined) return selector === wanted;
    return matchesAll(selector, wanted) && matchesAll(wanted, selector);
  });
}

/** Undefined where all clients are meant. */
export function selectorOf(rule: DestinationRule): Labels | undefined {
  const selector = rule.spec.workloadSelector?.matchLabels ?? {};
  return Object.keys(selector).length === 0 ? undefined : selector;
}

const mergeRules = cached(buildMergedRule);

function buildMergedRule(_first: DestinationRule, rules: readonly DestinationRule[]): MergedRule {
  const withPolicy = rules.find((rule) => rule.spec.trafficPolicy !== undefined);
  const subsets = new Map<string, RuleSubset>();
  const problems: IrProblem[] = [];
  for (const rule of rules) {
    const report = reporter(rule.key);
    for (const [at, subset] of (rule.spec.subsets ?? []).entries()) {
      const path = `spec.subsets[${at}]`;
      const known = subsets.get(subset.name);
      if (known === undefined) subsets.set(subset.name, { subset, rule, path });
      else {
        const message = `${known.rule.namespace}/${known.rule.name} has the subset ${subset.name} already, at ${known.path}`;
        warn(report, `${path}.name`, "DuplicateSubset", message);
      }
    }
    if (rule !== withPolicy && withPolicy !== undefined && rule.spec.trafficPolicy !== undefined) {
      const message = `the older rule ${withPolicy.namespace}/${withPolicy.name} of the same host has the policy that counts`;
      warn(report, "spec.trafficPolicy", "Shadowed", message);
    }
    problems.push(...report.problems);
  }
  return {
    rules,
    ...(withPolicy?.spec.trafficPolicy === undefined
      ? {}
      : { policy: { rule: withPolicy, value: withPolicy.spec.trafficPolicy } }),
    subsets: [...subsets.values()],
    problems,
  };
}

/**
 * The policy of a service's port, and of a subset when one is given, all levels resolved: what the
 * mesh says for all comes under what the rule says.
 */
export function policyFor(
  rule: MergedRule | undefined,
  port: number,
  mesh: MeshConfig,
  subset?: RuleSubset,
): TrafficPolicy {
  const {
    connectionPool = mesh.defaultConnectionPool,
    outlierDetection = mesh.defaultOutlierDetection,
    ...others
  } = overlay({}, rule?.policy?.value, port);
  const base: TrafficPolicy = {
    ...others,
    ...(connectionPool === undefined ? {} : { connectionPool }),
    ...(outlierDetection === undefined ? {} : { outlierDetection }),
  };
  return subset === undefined ? base : overlay(base, subset.subset.trafficPolicy, port);
}

/** Fields that a port can say for itself. */
export type PolicyField = "connectionPool" | "loadBalancer" | "outlierDetection" | "tls";

/** Which rule says what counts for a field, and where: a port, a subset or all; else undefined. */
export function writtenAt(
  rule: MergedRule | undefined,
  port: number,
  subset: RuleSubset | undefined,
  field: PolicyField,
): { readonly rule: DestinationRule; readonly path: string } | undefined {
  const levels = [
    subset && {
      rule: subset.rule,
      policy: subset.subset.trafficPolicy,
      path: `${subset.path}.trafficPolicy`,
    },
    rule?.policy && {
      rule: rule.policy.rule,
      policy: rule.policy.value,
      path: "spec.trafficPolicy",
    },
  ];
  for (const level of levels) {
    if (level?.policy === undefined) continue;
    const ports = level.policy.portLevelSettings ?? [];
    const at = ports.findIndex((one) => one.port?.number === port);
    if (at >= 0) return { rule: level.rule, path: `${level.path}.portLevelSettings[${at}]` };
    if (level.policy[field] !== undefined) return { rule: level.rule, path: level.path };
  }
  return undefined;
}

/**
 * Fields of the upper level replace whole fields; those of a port replace all that a port can say,
 * also by nothing, and hide what else the level says.
 */
function overlay(
  lower: TrafficPolicy,
  upper: TrafficPolicy | undefined,
  port: number,
): TrafficPolicy {
  if (upper === undefined) return lower;
  const ofPort = (upper.portLevelSettings ?? []).find((one) => one.port?.number === port);
  if (ofPort === undefined) return { ...lower, ...upper };
  return {
    ...lower,
    connectionPool: ofPort.connectionPool,
    loadBalancer: ofPort.loadBalancer,
    outlierDetection: ofPort.outlierDetection,
    tls: ofPort.tls,
  };
}
