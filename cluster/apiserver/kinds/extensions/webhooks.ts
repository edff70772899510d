/** MutatingWebhookConfigurations and ValidatingWebhookConfigurations. */

import type {
  MatchCondition,
  MutatingWebhook,
  MutatingWebhookConfiguration,
  RuleWithOperations,
  ValidatingWebhook,
  ValidatingWebhookConfiguration,
  WebhookClientConfig,
} from "#cluster/api/generated/admissionregistration-v1.ts";
import { ADMISSION_ENVIRONMENT } from "#cluster/apiserver/cel/expression.ts";
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

type Configuration = MutatingWebhookConfiguration | ValidatingWebhookConfiguration;

export const WEBHOOK_STRATEGY: Strategy = strategyOf<Configuration>({
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

function validateWebhook(
  webhook: MutatingWebhook | ValidatingWebhook,
  path: string,
): FieldProblem[] {
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
  return [
    ...problems,
    ...validateConditions(matchConditions, `${path}.matchConditions`),
    ...validateClientConfig(webhook.clientConfig, `${path}.clientConfig`),
    ...validateLabelSelector(webhook.namespaceSelector, `${path}.namespaceSelector`),
    ...validateLabelSelector(webhook.objectSelector, `${path}.objectSelector`),
    ...(webhook.rules ?? []).flatMap((rule, index) =>
      validateRule(rule, `${path}.rules[${index}]`),
    ),
  ];
}

const MAX_CONDITIONS = 64;

function validateConditions(conditions: readonly MatchCondition[], path: string): FieldProblem[] {
  if (conditions.length > MAX_CONDITIONS) {
    return [problem.tooMany(path, conditions.length, MAX_CONDITIONS)];
  }
  const names = conditions.map(({ name }) => name);
  return conditions.flatMap(({ name, expression }, index) => {
    const at = `${path}[${index}]`;
    const problems: FieldProblem[] = [];
    if (name === "") problems.push(problem.required(`${at}.name`));
    else if (names.indexOf(name) < index) problems.push(problem.duplicate(`${at}.name`, name));
    const compiled = ADMISSION_ENVIRONMENT.compile(expression);
    if (!compiled.ok) {
      const detail = `compilation failed: ${compiled.message}`;
      problems.push(problem.invalid(`${at}.expression`, expression, detail));
    }
    return problems;
  });
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
