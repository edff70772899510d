/** What makes an API server ask pilot about objects of Istio's kinds. */

import { WEBHOOK_PATH } from "./webhook-server.ts";
import type {
  ValidatingWebhookConfiguration,
  WebhookClientConfig,
} from "#cluster/api/generated/admissionregistration-v1.ts";

export interface WebhookManifestOptions {
  /** Where the API server reaches pilot: an address, or the Service in front of it. */
  at: { url: string } | { service: { name: string; namespace: string; port: number } };
  /** Certificate authority of the webhook's certificate, PEM; somebody else fills it in without. */
  caPem?: string;
}

const GROUPS = [
  "networking.istio.io",
  "security.istio.io",
  "telemetry.istio.io",
  "extensions.istio.io",
  "gateway.networking.k8s.io",
];

/**
 * `failurePolicy: Ignore`, so that nothing is held up while pilot is away, least of all what would
 * bring it back: the schemas still refuse most of what can never work, and statuses tell the rest.
 */
export function webhookManifest(options: WebhookManifestOptions): ValidatingWebhookConfiguration {
  const { at, caPem } = options;
  const clientConfig: WebhookClientConfig =
    "url" in at
      ? { url: `${at.url}${WEBHOOK_PATH}` }
      : { service: { ...at.service, path: WEBHOOK_PATH } };
  if (caPem !== undefined) clientConfig.caBundle = Buffer.from(caPem, "utf8").toString("base64");
  return {
    apiVersion: "admissionregistration.k8s.io/v1",
    kind: "ValidatingWebhookConfiguration",
    metadata: { name: "istio-validator-istio-system", labels: { app: "istiod", istio: "istiod" } },
    webhooks: [
      {
        name: "rev.validation.istio.io",
        clientConfig,
        rules: [
          {
            operations: ["CREATE", "UPDATE"],
            apiGroups: GROUPS,
            apiVersions: ["*"],
            resources: ["*"],
          },
        ],
        failurePolicy: "Ignore",
        matchPolicy: "Exact",
        sideEffects: "None",
        timeoutSeconds: 5,
        admissionReviewVersions: ["v1"],
      },
    ],
  };
}
