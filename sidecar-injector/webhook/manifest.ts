/** What makes the API server ask the injector: Istio's four webhooks. */

import type {
  MutatingWebhook,
  MutatingWebhookConfiguration,
  WebhookClientConfig,
} from "#cluster/api/generated/admissionregistration-v1.ts";
import type { LabelSelector, LabelSelectorRequirement } from "#cluster/api/meta.ts";
import {
  INJECT,
  NAMESPACE_SWITCH,
  REVISION,
  SYSTEM_NAMESPACES,
} from "#sidecar-injector/inject/decide.ts";

export interface ManifestOptions {
  /** Where the API server reaches the injector: `{url: "https://127.0.0.1:15017/inject"}`, a Service. */
  client: Pick<WebhookClientConfig, "url" | "service">;
  /** Certificate authority of the injector's certificate, PEM; absent where the injector adds it. */
  caPem?: string;
  revision?: string;
  /** Default: `istio-sidecar-injector`. */
  name?: string;
  /** Namespace of the mesh itself; its pods are asked about only if they ask. */
  meshNamespace?: string;
  labels?: Record<string, string>;
}

/**
 * Namespaces choose by `istio-injection` or `istio.io/rev`, pods by label; the selectors exclude each
 * other, so a pod is asked about once. A pod that should have a proxy must not start without one:
 * `failurePolicy: Fail`. The cluster's own namespaces are never asked about, nor are pods of
 * istio-system unless they ask by label.
 */
export function manifest(options: ManifestOptions): MutatingWebhookConfiguration {
  const revision = options.revision ?? "default";
  const webhook = (
    name: string,
    namespace: LabelSelectorRequirement[],
    object: LabelSelectorRequirement[],
  ): MutatingWebhook => ({
    name: `${name}.sidecar-injector.istio.io`,
    clientConfig: {
      ...options.client,
      ...(options.caPem !== undefined && {
        caBundle: Buffer.from(options.caPem, "utf8").toString("base64"),
      }),
    },
    rules: [{ operations: ["CREATE"], apiGroups: [""], apiVersions: ["v1"], resources: ["pods"] }],
    namespaceSelector: selector([...namespace, notIn(NAME, SYSTEM_NAMESPACES)]),
    objectSelector: selector(object),
    failurePolicy: "Fail",
    matchPolicy: "Equivalent",
    reinvocationPolicy: "Never",
    sideEffects: "None",
    timeoutSeconds: 10,
    admissionReviewVersions: ["v1"],
  });
  const noSwitch = absent(NAMESPACE_SWITCH);
  const mesh = notIn(NAME, [options.meshNamespace ?? "istio-system"]);
  const allowed = notIn(INJECT, ["false"]);
  return {
    apiVersion: "admissionregistration.k8s.io/v1",
    kind: "MutatingWebhookConfiguration",
    metadata: {
      name: options.name ?? "istio-sidecar-injector",
      labels: { app: "sidecar-injector", "istio.io/rev": revision, ...options.labels },
    },
    webhooks: [
      webhook("rev.namespace", [is(REVISION, revision), noSwitch, mesh], [allowed]),
      webhook("rev.object", [absent(REVISION), noSwitch], [allowed, is(REVISION, revision)]),
      // Whoever names no revision means the default one.
      ...(revision === "default"
        ? [
            webhook("namespace", [is(NAMESPACE_SWITCH, "enabled"), mesh], [allowed]),
            webhook("object", [noSwitch, absent(REVISION)], [is(INJECT, "true"), absent(REVISION)]),
          ]
        : []),
    ],
  };
}

const NAME = "kubernetes.io/metadata.name";

function selector(matchExpressions: LabelSelectorRequirement[]): LabelSelector {
  return { matchExpressions };
}

function is(key: string, value: string): LabelSelectorRequirement {
  return { key, operator: "In", values: [value] };
}

function notIn(key: string, values: readonly string[]): LabelSelectorRequirement {
  return { key, operator: "NotIn", values: [...values] };
}

function absent(key: string): LabelSelectorRequirement {
  return { key, operator: "DoesNotExist" };
}
