/** Services, nodes, events and the other small kinds of core/v1. */

import { oneOf, PORT, REQUIRED, type TypeRules } from "./rule.ts";

const CORE = "io.k8s.api.core.v1";

export const CORE_RULES: Readonly<Record<string, TypeRules>> = {
  [`${CORE}.ServiceSpec`]: {
    type: oneOf(["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"], "ClusterIP"),
    sessionAffinity: oneOf(["ClientIP", "None"], "None"),
    externalTrafficPolicy: oneOf(["Cluster", "Local"]),
    internalTrafficPolicy: oneOf(["Cluster", "Local"]),
    ipFamilyPolicy: oneOf(["SingleStack", "PreferDualStack", "RequireDualStack"]),
  },
  [`${CORE}.ServicePort`]: {
    port: { ...PORT, required: true },
    protocol: oneOf(["SCTP", "TCP", "UDP"], "TCP"),
    nodePort: { minimum: 0, maximum: 65535 },
  },
  [`${CORE}.ClientIPConfig`]: { timeoutSeconds: { minimum: 1, maximum: 86400, default: 10800 } },
  [`${CORE}.EndpointPort`]: {
    port: { ...PORT, required: true },
    protocol: oneOf(["SCTP", "TCP", "UDP"], "TCP"),
  },
  [`${CORE}.EndpointAddress`]: { ip: REQUIRED },
  [`${CORE}.Taint`]: {
    key: REQUIRED,
    effect: { ...oneOf(["NoSchedule", "PreferNoSchedule", "NoExecute"]), required: true },
  },
  [`${CORE}.Secret`]: { type: { default: "Opaque" } },
  [`${CORE}.NamespaceSpec`]: {},
};
