/** What the mesh's control plane may do on a cluster: exactly what its code asks for. */

import type { PolicyRule } from "#cluster/api/generated/rbac-v1.ts";
import type { Resource } from "#cluster/api/resources.ts";
import { HTTP_ROUTES } from "#pilot/registry/gateway-api.ts";
import { UNSUPPORTED_CONFIG } from "#pilot/registry/unsupported.ts";
import { WATCHED_CONFIG } from "#pilot/registry/registry.ts";

const READ = ["get", "list", "watch"];

/** All namespaces. Secrets are read for gateways' certificates, which live beside the gateways. */
export function clusterRules(): PolicyRule[] {
  const config = [...WATCHED_CONFIG, ...UNSUPPORTED_CONFIG, HTTP_ROUTES];
  return [
    rule("", ["configmaps", "namespaces", "nodes", "pods", "secrets", "services"], READ),
    rule("discovery.k8s.io", ["endpointslices"], READ),
    rule("networking.k8s.io", ["ingressclasses", "ingresses"], READ),
    rule("networking.k8s.io", ["ingresses/status"], ["patch"]),
    rule("apiextensions.k8s.io", ["customresourcedefinitions"], READ),
    ...byGroup(config).flatMap(([group, plurals]) => [
      rule(group, plurals, READ),
      rule(
        group,
        plurals.map((plural) => `${plural}/status`),
        ["patch"],
      ),
    ]),
    rule("", ["events"], ["create", "patch"]),
    rule(
      "admissionregistration.k8s.io",
      ["mutatingwebhookconfigurations", "validatingwebhookconfigurations"],
      ["create", "patch"],
    ),
  ];
}

/** In the mesh's own namespace: its authority, and the leases of its replicas. */
export function namespaceRules(): PolicyRule[] {
  return [
    rule("", ["secrets"], ["create"]),
    rule("coordination.k8s.io", ["leases"], ["create", "delete", "get", "list", "patch", "update"]),
  ];
}

function byGroup(resources: readonly Resource[]): [string, string[]][] {
  const groups = new Map<string, Set<string>>();
  for (const { group, plural } of resources) {
    groups.set(group, (groups.get(group) ?? new Set()).add(plural));
  }
  return [...groups]
    .map(([group, plurals]): [string, string[]] => [group, [...plurals].toSorted()])
    .toSorted(([a], [b]) => (a < b ? -1 : 1));
}

function rule(apiGroup: string, resources: string[], verbs: string[]): PolicyRule {
  return { apiGroups: [apiGroup], resources, verbs };
}
