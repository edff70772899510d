import type { Resource } from "#cluster/api/resources.ts";

/** Of the Gateway API, which a cluster need not have. Pilot writes their status. */
export const HTTP_ROUTES: Resource = {
  group: "gateway.networking.k8s.io",
  version: "v1",
  kind: "HTTPRoute",
  plural: "httproutes",
  namespaced: true,
};
