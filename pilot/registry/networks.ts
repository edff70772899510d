/** Networks of the mesh: which one an address is in, and the gateways into each. */

import { isIP } from "node:net";
import { load } from "js-yaml";
import type * as core from "#cluster/api/generated/core-v1.ts";
import { containsAddress } from "#pilot/model/cidr.ts";
import { hostname, serviceHost } from "#pilot/model/name.ts";
import type { Labels, NetworkGateway } from "#pilot/model/object.ts";
import { type Shape, checkShape } from "./shape.ts";

/** `meshNetworks` of the ConfigMap `istio`: networks by name. */
export interface MeshNetworks {
  readonly networks: readonly MeshNetwork[];
}

export interface MeshNetwork {
  readonly name: string;
  readonly cidrs: readonly string[];
  /** Clusters that are in it as a whole. */
  readonly clusters: readonly string[];
  readonly gateways: readonly {
    readonly address?: string;
    readonly registryServiceName?: string;
    readonly port: number;
  }[];
}

export const NO_NETWORKS: MeshNetworks = { networks: [] };

export const NETWORK_LABEL = "topology.istio.io/network";
const PORT_LABEL = "networking.istio.io/gatewayPort";
/** Where gateways between networks listen unless their label says otherwise. */
const GATEWAY_PORT = 15443;

const SHAPE: Shape = {
  networks: {
    "*": {
      endpoints: [{ fromCidr: "text", fromRegistry: "text" }],
      gateways: [
        { address: "text", registryServiceName: "text", "port!": "port", locality: "text" },
      ],
    },
  },
};

interface Written {
  networks?: Record<
    string,
    {
      endpoints?: { fromCidr?: string; fromRegistry?: string }[];
      gateways?: { address?: string; registryServiceName?: string; port: number }[];
    }
  >;
}

/** Reads the settings; misshapen ones have no effect at all, and every mistake is named. */
export function parseMeshNetworks(text: string): {
  networks: MeshNetworks;
  problems: { path: string; message: string }[];
} {
  if (text.trim() === "") return { networks: NO_NETWORKS, problems: [] };
  let value: unknown;
  try {
    value = load(text);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return { networks: NO_NETWORKS, problems: [{ path: "", message }] };
  }
  if (value === undefined || value === null) return { networks: NO_NETWORKS, problems: [] };
  const problems = checkShape(value, SHAPE, "");
  if (problems.length > 0) return { networks: NO_NETWORKS, problems };
  const networks = Object.entries((value as Written).networks ?? {})
    .toSorted(([left], [right]) => (left < right ? -1 : 1))
    .map(([name, { endpoints = [], gateways = [] }]) => ({
      name,
      cidrs: endpoints.flatMap(({ fromCidr }) => (fromCidr === undefined ? [] : [fromCidr])),
      clusters: endpoints.flatMap(({ fromRegistry }) =>
        fromRegistry === undefined ? [] : [fromRegistry],
      ),
      gateways,
    }));
  return { networks: { networks }, problems: [] };
}

/**
 * The network of an address in a cluster: its label, the label of the cluster's root namespace, the
 * settings that name the cluster, those that name a range. Empty for none.
 */
export function networkOf(
  at: { cluster: string; address: string; labels: Labels; ofNamespace: string },
  { networks }: MeshNetworks,
): string {
  const label = at.labels[NETWORK_LABEL] ?? "";
  if (label !== "") return label;
  if (at.ofNamespace !== "") return at.ofNamespace;
  const byCluster = networks.find((one) => one.clusters.includes(at.cluster));
  if (byCluster !== undefined) return byCluster.name;
  if (isIP(at.address) === 0) return "";
  return (
    networks.find((one) => one.cidrs.some((cidr) => containsAddress(cidr, at.address)))?.name ?? ""
  );
}

/** Gateways that the settings name by address. */
export function writtenGateways({ networks }: MeshNetworks): NetworkGateway[] {
  return networks.flatMap(({ name, gateways }) =>
    gateways.flatMap(({ address = "", port }) =>
      address === "" ? [] : [{ network: name, cluster: undefined, address, port }],
    ),
  );
}

/** The gateways that a Service is, at the addresses where other networks reach it. */
export function gatewaysOfService(
  service: core.Service,
  at: { cluster: string; clusterDomain: string },
  { networks }: MeshNetworks,
): NetworkGateway[] {
  const addresses = externalAddresses(service);
  if (addresses.length === 0) return [];
  const { name, namespace = "default", labels = {} } = service.metadata;
  const make = (network: string, port: number): NetworkGateway[] =>
    addresses.map((address) => ({ network, cluster: at.cluster, address, port }));
  const label = labels[NETWORK_LABEL] ?? "";
  if (label !== "") {
    const port = Number(labels[PORT_LABEL] ?? GATEWAY_PORT);
    const serves = (service.spec?.ports ?? []).some((one) => one.port === port);
    return serves ? make(label, port) : [];
  }
  const host = serviceHost(name, namespace, at.clusterDomain);
  return networks
    .filter((one) => one.clusters.includes(at.cluster))
    .flatMap((one) =>
      one.gateways
        .filter(({ registryServiceName = "" }) => hostname(registryServiceName) === host)
        .flatMap(({ port }) => make(one.name, port)),
    );
}

/** Of the load balancer, and those written by hand. */
function externalAddresses({ spec, status }: core.Service): string[] {
  const ingress = spec?.type === "LoadBalancer" ? (status?.loadBalancer?.ingress ?? []) : [];
  const balanced = ingress.map((one) => one.ip ?? one.hostname ?? "");
  return [...new Set([...balanced, ...(spec?.externalIPs ?? [])])].filter((one) => one !== "");
}
