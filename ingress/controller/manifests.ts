/** The ingress gateway as Kubernetes objects: what Istio's gateway chart installs. */

import type { Deployment } from "#cluster/api/generated/apps-v1.ts";
import type { Service, ServiceAccount } from "#cluster/api/generated/core-v1.ts";
import type { IngressClass } from "#cluster/api/generated/networking-v1.ts";
import {
  INGRESS_CLASS,
  INGRESS_CONTROLLER,
  IS_DEFAULT_CLASS,
} from "#ingress/translate/ingress-class.ts";

export const GATEWAY_NAMESPACE = "istio-system";
export const GATEWAY_NAME = "istio-ingressgateway";

const LABELS = { app: GATEWAY_NAME, istio: "ingressgateway" };
const metadata = { name: GATEWAY_NAME, namespace: GATEWAY_NAMESPACE, labels: LABELS };

export const GATEWAY_SERVICE_ACCOUNT: ServiceAccount = { metadata };

/**
 * The container is a placeholder: the injector's gateway template turns it into Envoy. Replicas are
 * left to whoever scales it. Ports are above 1024, so Envoy needs no privilege.
 */
export const GATEWAY_DEPLOYMENT: Deployment = {
  metadata,
  spec: {
    selector: { matchLabels: LABELS },
    strategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
    template: {
      metadata: {
        labels: { ...LABELS, "sidecar.istio.io/inject": "true" },
        annotations: {
          "inject.istio.io/templates": "gateway",
          "readiness.status.sidecar.istio.io/periodSeconds": "1",
          "readiness.status.sidecar.istio.io/failureThreshold": "30",
        },
      },
      spec: {
        serviceAccountName: GATEWAY_NAME,
        containers: [
          {
            name: "istio-proxy",
            image: "auto",
            resources: {
              requests: { cpu: "10m", memory: "40Mi" },
              limits: { cpu: "2", memory: "1Gi" },
            },
            securityContext: {
              allowPrivilegeEscalation: false,
              capabilities: { drop: ["ALL"] },
              privileged: false,
              readOnlyRootFilesystem: true,
              runAsNonRoot: true,
            },
            ports: [
              { name: "status-port", containerPort: 15_021, protocol: "TCP" },
              { name: "http2", containerPort: 8080, protocol: "TCP" },
              { name: "https", containerPort: 8443, protocol: "TCP" },
            ],
          },
        ],
      },
    },
  },
};

/** Its address becomes the address of every Ingress of ours. */
export const GATEWAY_SERVICE: Service = {
  metadata,
  spec: {
    type: "LoadBalancer",
    selector: LABELS,
    ports: [
      { name: "status-port", port: 15_021, targetPort: 15_021, protocol: "TCP" },
      { name: "http2", port: 80, targetPort: 8080, protocol: "TCP" },
      { name: "https", port: 443, targetPort: 8443, protocol: "TCP" },
    ],
  },
};

/** The cluster's default, so that an Ingress without a class works. */
export const GATEWAY_INGRESS_CLASS: IngressClass = {
  metadata: { name: INGRESS_CLASS, annotations: { [IS_DEFAULT_CLASS]: "true" } },
  spec: { controller: INGRESS_CONTROLLER },
};
