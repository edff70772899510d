/** What every cluster has from the start: system namespaces and the `kubernetes` Service. */

import { isLoopback } from "./loopback.ts";
import type { KubeObject } from "#cluster/api/meta.ts";
import type { ControlPlaneConfig } from "#cluster/api/process-config.ts";
import {
  apiVersionOf,
  ENDPOINT_SLICES,
  ENDPOINTS,
  NAMESPACES,
  SERVICES,
  type Resource,
} from "#cluster/api/resources.ts";
import type { AnyObject } from "#cluster/api/meta.ts";
import { hasReason } from "#cluster/api/status-error.ts";
import { toAddress, parseRange } from "#cluster/apiserver/allocation/address-range.ts";
import { API_SERVER } from "#cluster/apiserver/auth/user.ts";
import type { RegistryContext } from "#cluster/apiserver/registry/context.ts";
import { createObject, SERVER_MANAGER, updateObject } from "#cluster/apiserver/registry/write.ts";

const INITIAL_NAMESPACES = ["default", "kube-system", "kube-public", "kube-node-lease"];

/** Creates what is missing, and points `kubernetes` at where this server listens now. */
export async function ensureInitialObjects(
  context: RegistryContext,
  listen: ControlPlaneConfig["listen"],
  signal: AbortSignal,
): Promise<void> {
  for (const name of INITIAL_NAMESPACES) {
    await ensure(context, { resource: NAMESPACES, fields: {}, name, namespace: "" }, signal);
  }
  const at = { name: "kubernetes", namespace: "default" };
  const clusterIP = toAddress(parseRange(context.network.serviceCidr).first + 1);
  const ports = [{ name: "https", protocol: "TCP", port: 443, targetPort: portOf(listen) }];
  const spec = { type: "ClusterIP", clusterIP, clusterIPs: [clusterIP], ports };
  const labels = { component: "apiserver", provider: "kubernetes" };
  await ensure(context, { resource: SERVICES, fields: { spec }, labels, ...at }, signal);
  const addresses = reachable(listen).map(({ address }) => address);
  const port = { name: "https", port: portOf(listen), protocol: "TCP" };
  const subsets = [{ addresses: addresses.map((ip) => ({ ip })), ports: [port] }];
  // Both are kept by hand: no selector could find a server that is no pod.
  const mirrored = { "endpointslice.kubernetes.io/skip-mirror": "true" };
  const owned = { "kubernetes.io/service-name": "kubernetes" };
  await ensure(
    context,
    { resource: ENDPOINTS, fields: { subsets }, labels: mirrored, ...at },
    signal,
  );
  const endpoints = [{ addresses, conditions: { ready: true } }];
  const slice = { addressType: "IPv4", endpoints, ports: [port] };
  await ensure(context, { resource: ENDPOINT_SLICES, fields: slice, labels: owned, ...at }, signal);
}

/** Where pods can reach this server: its addresses off loopback, or else all of them. */
function reachable(listen: ControlPlaneConfig["listen"]): ControlPlaneConfig["listen"] {
  const off = listen.filter(({ address }) => !isLoopback(address));
  return off.length > 0 ? off : listen;
}

function portOf(listen: ControlPlaneConfig["listen"]): number {
  return reachable(listen)[0]?.port ?? 443;
}

interface Wanted {
  resource: Resource<AnyObject>;
  namespace: string;
  name: string;
  labels?: Record<string, string>;
  /** Members beside apiVersion, kind and metadata. */
  fields: Record<string, unknown>;
}

async function ensure(
  context: RegistryContext,
  { resource, namespace, name, labels, fields }: Wanted,
  signal: AbortSignal,
): Promise<void> {
  const kind = context.kinds.findResource(resource.group, resource.plural);
  if (kind === undefined) throw new Error(`the table of kinds has no ${resource.plural}`);
  const object: KubeObject = {
    apiVersion: apiVersionOf(resource),
    kind: resource.kind,
    metadata: { name, ...(namespace === "" ? {} : { namespace }), ...(labels && { labels }) },
    ...fields,
  };
  const request = {
    kind,
    namespace,
    name,
    subresource: "",
    user: API_SERVER,
    dryRun: false,
    warnings: [],
    signal,
    manager: SERVER_MANAGER,
  };
  try {
    await createObject(context, request, object);
  } catch (error) {
    if (!hasReason(error, "AlreadyExists")) throw error;
    if (Object.keys(fields).length === 0) return;
    await updateObject(context, request, (current) => ({ ...current, ...fields }));
  }
}
