/** MutatingWebhookConfigurations. */

import type {
  MutatingWebhook,
  MutatingWebhookConfiguration,
  RuleWithOperations,
  WebhookClientConfig,
} from "#cluster/api/generated/admissionregistration-v1.ts";
import { AGE, integer, NAME } from "#cluster/apiserver/kinds/columns.ts";
import type { Column, Strategy } from "#cluster/apiserver/kinds/kind.ts";
import { check, validateLabelSelector } from "#cluster/apiserver/kinds/meta.ts";
import { dns1123Subdomain } from "#cluster/apiserver/kinds/names.ts";
import { strategyOf } from "#cluster/apiserver/kinds/strategy.ts";
import { at } from "#cluster/apiserver/schema/json.ts";
import * as problem from "#cluster/apiserver/schema/problem.ts";
import type { FieldProblem } from "#cluster/apiserver/schema/schema.ts";

const OPERATIONS = ["*", "CONNECT", "CREATE", "DELETE", "UPDATE"];
/** Versions of AdmissionReview that the API server sends. */
const REVIEW_VERSIONS = ["v1"];

export const MUTATING_WEBHOOK_STRATEGY: Strategy = strategyOf<MutatingWebhookConfiguration>({
  validate: ({ webhooks = [] }) => {
    const names = new Set<string>();
    return webhooks.flatMap((webhook, index) => {
      const path = `webhooks[${index}]`;
      const problems = validateWebhook(webhook, path);
      if (names.has(webhook.name)) problems.push(problem.duplicate(`${path}.name`, webhook.name));
      names.add(webhook.name);
      return problems;
    });
  },
});

function validateWebhook(webhook: MutatingWebhook, path: string): FieldProblem[] {
  const { name, admissionReviewVersions, matchConditions = [] } = webhook;
  const problems = check(`${path}.name`, name, dns1123Subdomain(name));
  if (problems.length === 0 && name.split(".").length < 3) {
    const detail = "should be a domain with at least three segments separated by dots";
    problems.push(problem.invalid(`${path}.name`, name, detail));
  }
  if (!admissionReviewVersions.some((version) => REVIEW_VERSIONS.includes(version))) {
    const detail = `must include at least one of ${REVIEW_VERSIONS.join(", ")}`;
    const field = `${path}.admissionReviewVersions`;
    problems.push(problem.invalid(field, admissionReviewVersions, detail));
  }
  if (matchConditions.length > 0) {
    // Better refused than a webhook that is called for what it wanted to be spared.
    const detail = "this server evaluates no CEL: use rules and selectors";
    problems.push(problem.forbidden(`${path}.matchConditions`, detail));
  }
  return [
    ...problems,
    ...validateClientConfig(webhook.clientConfig, `${path}.clientConfig`),
    ...validateLabelSelector(webhook.namespaceSelector, `${path}.namespaceSelector`),
    ...validateLabelSelector(webhook.objectSelector, `${path}.objectSelector`),
    ...(webhook.rules ?? []).flatMap((rule, index) =>
      validateRule(rule, `${path}.rules[${index}]`),
    ),
  ];
}

/** Of webhooks for admission and for conversion. */
export function validateClientConfig(
  { url, service, caBundle }: WebhookClientConfig,
  path: string,
): FieldProblem[] {
  if ((url === undefined) === (service === undefined)) {
    return [problem.required(path, "exactly one of url or service is required")];
  }
  const problems: FieldProblem[] = [];
  if (url !== undefined && !(URL.canParse(url) && new URL(url).protocol === "https:")) {
    const detail = "must be a URL that begins with https://";
    problems.push(problem.invalid(`${path}.url`, url, detail));
  }
  if (service?.path !== undefined && !service.path.startsWith("/")) {
    const detail = "must start with a '/'";
    problems.push(problem.invalid(`${path}.service.path`, service.path, detail));
  }
  const bundle = Buffer.from(caBundle ?? "", "base64").toString("latin1");
  if (bundle !== "" && !bundle.includes("-----BEGIN CERTIFICATE-----")) {
    const detail = "unable to load root certificates: no certificates found";
    problems.push(problem.invalid(`${path}.caBundle`, "<value omitted>", detail));
  }
  return problems;
}

function validateRule(rule: RuleWithOperations, path: string): FieldProblem[] {
  const problems = (["operations", "apiGroups", "apiVersions", "resources"] as const)
    .filter((field) => (rule[field] ?? []).length === 0)
    .map((field) => problem.required(`${path}.${field}`));
  for (const [index, operation] of (rule.operations ?? []).entries()) {
    if (OPERATIONS.includes(operation)) continue;
    problems.push(problem.notSupported(`${path}.operations[${index}]`, operation, OPERATIONS));
  }
  return problems;
}

export const WEBHOOK_COLUMNS: readonly Column[] = [
  NAME,
  integer("Webhooks", (object) => {
    const webhooks = at(object, "webhooks");
    return Array.isArray(webhooks) ? webhooks.length : 0;
  }),
  AGE,
];
