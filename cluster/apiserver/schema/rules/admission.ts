/** admissionregistration.k8s.io/v1 and apiextensions.k8s.io/v1. */

import { oneOf, REQUIRED, type TypeRules } from "./rule.ts";

const ADMISSION = "io.k8s.api.admissionregistration.v1";
const EXTENSIONS = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1";

const WEBHOOK: TypeRules = {
  name: REQUIRED,
  clientConfig: REQUIRED,
  failurePolicy: oneOf(["Fail", "Ignore"], "Fail"),
  matchPolicy: oneOf(["Equivalent", "Exact"], "Equivalent"),
  namespaceSelector: { default: {} },
  objectSelector: { default: {} },
  sideEffects: { ...oneOf(["None", "NoneOnDryRun"]), required: true },
  timeoutSeconds: { minimum: 1, maximum: 30, default: 10 },
  admissionReviewVersions: REQUIRED,
};

export const ADMISSION_RULES: Readonly<Record<string, TypeRules>> = {
  [`${ADMISSION}.MutatingWebhook`]: {
    ...WEBHOOK,
    reinvocationPolicy: oneOf(["IfNeeded", "Never"], "Never"),
  },
  [`${ADMISSION}.ValidatingWebhook`]: WEBHOOK,
  [`${ADMISSION}.MatchCondition`]: { name: REQUIRED, expression: REQUIRED },
  [`${ADMISSION}.RuleWithOperations`]: { scope: oneOf(["*", "Cluster", "Namespaced"], "*") },
  [`${ADMISSION}.ServiceReference`]: {
    namespace: REQUIRED,
    name: REQUIRED,
    port: { minimum: 1, maximum: 65535, default: 443 },
  },
  [`${EXTENSIONS}.CustomResourceDefinition`]: { spec: REQUIRED },
  [`${EXTENSIONS}.CustomResourceDefinitionSpec`]: {
    group: REQUIRED,
    names: REQUIRED,
    scope: { ...oneOf(["Cluster", "Namespaced"]), required: true },
    versions: REQUIRED,
    conversion: { default: { strategy: "None" } },
  },
  [`${EXTENSIONS}.CustomResourceConversion`]: {
    strategy: { ...oneOf(["None", "Webhook"]), required: true },
  },
  [`${EXTENSIONS}.CustomResourceDefinitionVersion`]: { name: REQUIRED },
  [`${EXTENSIONS}.SelectableField`]: { jsonPath: REQUIRED },
  [`${EXTENSIONS}.CustomResourceSubresourceScale`]: {
    specReplicasPath: REQUIRED,
    statusReplicasPath: REQUIRED,
  },
  [`${EXTENSIONS}.CustomResourceColumnDefinition`]: {
    name: REQUIRED,
    jsonPath: REQUIRED,
    type: { ...oneOf(["boolean", "date", "integer", "number", "string"]), required: true },
  },
  [`${EXTENSIONS}.ServiceReference`]: {
    namespace: REQUIRED,
    name: REQUIRED,
    port: { minimum: 1, maximum: 65535, default: 443 },
  },
};
