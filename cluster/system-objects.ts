/** The objects that a cluster of Lateen's has from its first moment, besides the API server's. */

import type { ClusterNetwork } from "#cluster/api/process-config.ts";
import type { ServicePort } from "#cluster/api/generated/core-v1.ts";
import {
  CONFIG_MAPS,
  CUSTOM_RESOURCE_DEFINITIONS,
  ENDPOINT_SLICES,
  MUTATING_WEBHOOKS,
  NAMESPACES,
  SERVICES,
} from "#cluster/api/resources.ts";
import type { KubeClient } from "#cluster/client/client.ts";
import { hasReason } from "#cluster/api/status-error.ts";
import { applyObject } from "#cluster/client/apply-object.ts";
import { type CrdManifest, loadCrds } from "#crds/load.ts";
import { manifest as webhookManifest } from "#sidecar-injector/webhook/manifest.ts";

export const MESH_NAMESPACE = "istio-system";

export interface SystemObjectsOptions {
  network: ClusterNetwork;
  /** Where pilot listens, as seen from pods. */
  discovery: { address: string; port: number; httpPort: number };
  webhook: { url: string; caPem: string };
}

/** Creates or repairs them all; safe to run at every start. */
export async function ensureSystemObjects(
  client: KubeClient,
  options: SystemObjectsOptions,
): Promise<void> {
  await applyObject(client, NAMESPACES, { metadata: { name: MESH_NAMESPACE } });
  await Promise.all([
    ...loadCrds().map((crd) => ensureDefinition(client, crd)),
    ensureDns(client, options.network),
    ensureDiscovery(client, options.discovery),
    applyObject(client, CONFIG_MAPS, {
      metadata: { name: "istio", namespace: MESH_NAMESPACE },
      data: { mesh: "accessLogFile: /dev/stdout\n" },
    }),
    applyObject(
      client,
      MUTATING_WEBHOOKS,
      webhookManifest({ client: { url: options.webhook.url }, caPem: options.webhook.caPem }),
    ),
  ]);
}

/** The Gateway API's may have been replaced by those that its own project publishes: they stay. */
async function ensureDefinition(client: KubeClient, definition: CrdManifest): Promise<void> {
  if (definition.spec.group.endsWith(".istio.io")) {
    await applyObject(client, CUSTOM_RESOURCE_DEFINITIONS, definition);
    return;
  }
  try {
    await client.create(CUSTOM_RESOURCE_DEFINITIONS, definition);
  } catch (error) {
    if (!hasReason(error, "AlreadyExists")) throw error;
  }
}

/** Each node's DNS process has the address itself; the label keeps the service proxy off it. */
async function ensureDns(client: KubeClient, network: ClusterNetwork): Promise<void> {
  await applyObject(client, SERVICES, {
    metadata: {
      name: "kube-dns",
      namespace: "kube-system",
      labels: {
        "k8s-app": "kube-dns",
        "kubernetes.io/name": "CoreDNS",
        "service.kubernetes.io/service-proxy-name": "lateen-dns",
      },
    },
    spec: {
      clusterIP: network.dnsAddress,
      ports: [
        { name: "dns", port: 53, protocol: "UDP", targetPort: 53 },
        { name: "dns-tcp", port: 53, protocol: "TCP", targetPort: 53 },
      ],
    },
  });
}

/** Pilot runs on the host: a Service without selector and a slice that names its address. */
async function ensureDiscovery(
  client: KubeClient,
  discovery: SystemObjectsOptions["discovery"],
): Promise<void> {
  const metadata = {
    name: "istiod",
    namespace: MESH_NAMESPACE,
    labels: { app: "istiod", istio: "pilot" },
  };
  const ports: ServicePort[] = [
    { name: "tls-xds", port: 15_012, protocol: "TCP", targetPort: discovery.port },
    { name: "http-monitoring", port: 15_014, protocol: "TCP", targetPort: discovery.httpPort },
  ];
  await applyObject(client, SERVICES, { metadata, spec: { ports } });
  await applyObject(client, ENDPOINT_SLICES, {
    metadata: {
      ...metadata,
      labels: {
        "kubernetes.io/service-name": "istiod",
        "endpointslice.kubernetes.io/managed-by": "lateen-control-plane",
      },
    },
    addressType: "IPv4",
    endpoints: [{ addresses: [discovery.address], conditions: { ready: true } }],
    ports: ports.map(({ name, targetPort }) => ({
      name,
      port: Number(targetPort),
      protocol: "TCP",
    })),
  });
}
