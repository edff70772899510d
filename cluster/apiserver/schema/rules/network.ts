/** networking.k8s.io/v1, discovery.k8s.io/v1 and coordination.k8s.io/v1. */

import { oneOf, REQUIRED, type TypeRules } from "./rule.ts";

const NETWORKING = "io.k8s.api.networking.v1";
const DISCOVERY = "io.k8s.api.discovery.v1";

export const NETWORK_RULES: Readonly<Record<string, TypeRules>> = {
  [`${NETWORKING}.HTTPIngressRuleValue`]: { paths: REQUIRED },
  [`${NETWORKING}.HTTPIngressPath`]: {
    pathType: { ...oneOf(["Exact", "ImplementationSpecific", "Prefix"]), required: true },
  },
  [`${NETWORKING}.IngressServiceBackend`]: { name: REQUIRED },
  [`${NETWORKING}.IngressClassParametersReference`]: { kind: REQUIRED, name: REQUIRED },
  [`${DISCOVERY}.EndpointSlice`]: {
    addressType: { ...oneOf(["FQDN", "IPv4", "IPv6"]), required: true },
    endpoints: { maxItems: 1000 },
    ports: { maxItems: 20000 },
  },
  [`${DISCOVERY}.Endpoint`]: { addresses: { maxItems: 100, required: true } },
  [`${DISCOVERY}.EndpointPort`]: {
    name: { default: "" },
    protocol: oneOf(["SCTP", "TCP", "UDP"], "TCP"),
    port: { minimum: 1, maximum: 65535 },
  },
  "io.k8s.api.coordination.v1.LeaseSpec": {
    leaseDurationSeconds: { minimum: 1 },
    leaseTransitions: { minimum: 0 },
  },
};
