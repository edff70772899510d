/** Whether a webhook wants to be asked about a request: rules, selectors, conditions. */

import type {
  MutatingWebhook,
  RuleWithOperations,
  ValidatingWebhook,
} from "#cluster/api/generated/admissionregistration-v1.ts";
import type { LabelSelector } from "#cluster/api/meta.ts";
import { NAMESPACES } from "#cluster/api/resources.ts";
import { matchesLabelSelector } from "#cluster/api/selector.ts";
import { ADMISSION_ENVIRONMENT } from "#cluster/apiserver/cel/expression.ts";
import { celValue } from "#cluster/apiserver/cel/value.ts";
import type { AdmissionRequest, RegistryContext } from "#cluster/apiserver/registry/context.ts";
import { findObject } from "#cluster/apiserver/registry/read.ts";
import { failed, requestOf } from "./webhook-review.ts";

type Webhook = MutatingWebhook | ValidatingWebhook;

/** The webhooks' own configurations are never sent to webhooks: that way lies a deadlock. */
const EXEMPT_GROUP = "admissionregistration.k8s.io";

/**
 * The version of the resource in which the webhook wants to see the object; undefined when it
 * doesn't. Throws when a condition can't be evaluated and the webhook must not be left out.
 */
export function matchedVersion(
  context: RegistryContext,
  webhook: Webhook,
  request: AdmissionRequest,
): string | undefined {
  if (request.kind.group === EXEMPT_GROUP) return undefined;
  const version = versionsOf(context, webhook, request).find((one) =>
    (webhook.rules ?? []).some((rule) => ruleMatches(rule, request, one)),
  );
  if (version === undefined) return undefined;
  const { object, old } = request;
  const candidates = old === undefined ? [object] : [object, old];
  const byObject = candidates.some(({ metadata }) =>
    matchesLabelSelector(webhook.objectSelector, metadata.labels),
  );
  if (!byObject || !namespaceMatches(context, webhook.namespaceSelector, request)) return undefined;
  return conditionsHold(webhook, request) ? version : undefined;
}

/** The request's own, then the others that the resource is served in, as `Equivalent` wants. */
function versionsOf(
  context: RegistryContext,
  { matchPolicy = "Equivalent" }: Webhook,
  { kind }: AdmissionRequest,
): string[] {
  if (matchPolicy === "Exact") return [kind.version];
  const served = context.kinds.all
    .filter(({ group, plural }) => group === kind.group && plural === kind.plural)
    .map(({ version }) => version);
  return [kind.version, ...served.filter((version) => version !== kind.version)];
}

function ruleMatches(
  rule: RuleWithOperations,
  { kind, operation, subresource }: AdmissionRequest,
  version: string,
): boolean {
  const has = (list: readonly string[] | undefined, value: string): boolean =>
    (list ?? []).some((entry) => entry === "*" || entry === value);
  const scope = kind.namespaced ? "Namespaced" : "Cluster";
  return (
    has(rule.operations, operation) &&
    has(rule.apiGroups, kind.group) &&
    has(rule.apiVersions, version) &&
    (rule.scope === undefined || rule.scope === "*" || rule.scope === scope) &&
    (rule.resources ?? []).some((resource) => resourceMatches(resource, kind.plural, subresource))
  );
}

/** A resource, a star for all, or either with a slash and a subresource or a star. */
function resourceMatches(pattern: string, plural: string, subresource: string): boolean {
  const [resource = "", sub] = pattern.split("/");
  if (resource !== "*" && resource !== plural) return false;
  if (sub === undefined) return subresource === "";
  return sub === "*" || sub === subresource;
}

/** Cluster-scoped objects other than namespaces match every namespace selector. */
function namespaceMatches(
  context: RegistryContext,
  selector: LabelSelector | undefined,
  { kind, namespace, object }: AdmissionRequest,
): boolean {
  const isNamespace = kind.group === "" && kind.plural === "namespaces";
  if (isNamespace) return matchesLabelSelector(selector, object.metadata.labels);
  if (!kind.namespaced) return true;
  const found = findObject(context, NAMESPACES, { name: namespace });
  return matchesLabelSelector(selector, found?.metadata.labels);
}

/** One that is false decides, even where another can't be evaluated. */
function conditionsHold(webhook: Webhook, request: AdmissionRequest): boolean {
  const { matchConditions = [] } = webhook;
  if (matchConditions.length === 0) return true;
  const variables = {
    object: celValue(request.operation === "DELETE" ? null : request.object),
    oldObject: celValue(request.old ?? null),
    request: celValue(requestOf(request, request.kind.version)),
  };
  const errors: string[] = [];
  for (const { name, expression } of matchConditions) {
    const compiled = ADMISSION_ENVIRONMENT.compile(expression);
    const result = compiled.ok ? compiled.expression.evaluate(variables) : compiled;
    if (!result.ok) errors.push(`${name}: ${result.message}`);
    else if (result.value === false) return false;
    else if (result.value !== true) errors.push(`${name}: must evaluate to a bool`);
  }
  if (errors.length === 0) return true;
  failed(webhook, request, `match conditions: ${errors.join("; ")}`);
  return false;
}
