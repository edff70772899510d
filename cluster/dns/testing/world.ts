/** A cluster's objects, and its DNS on a loopback port. */

import type { Service, ServiceSpec } from "#cluster/api/generated/core-v1.ts";
import type { Endpoint, EndpointPort } from "#cluster/api/generated/discovery-v1.ts";
import type { DnsConfig } from "#cluster/api/process-config.ts";
import { ENDPOINT_SLICES, NAMESPACES, SERVICES } from "#cluster/api/resources.ts";
import { FakeApi } from "#cluster/client/testing/fake-api.ts";
import { runClusterDns } from "#cluster/dns/run.ts";

const network: DnsConfig["network"] = {
  fabricCidr: "10.130.0.0/24",
  hostAddress: "10.130.0.1",
  podCidr: "10.128.0.0/16",
  serviceCidr: "10.129.0.0/16",
  loadBalancerCidr: "10.130.200.0/24",
  dnsAddress: "10.129.0.10",
  clusterDomain: "cluster.local",
  fabricNamespace: "lt-h5-none",
  hostLink: "lt-h5-none",
};

const WEB_PORTS: EndpointPort[] = [{ name: "http", port: 8080, protocol: "TCP" }];

/** An API server with Services of every kind. */
export async function createObjects(): Promise<FakeApi> {
  const api = new FakeApi();
  await api.create(NAMESPACES, { metadata: { name: "default" } });
  await api.create(NAMESPACES, { metadata: { name: "empty" } });
  const http = [{ name: "http", port: 80, protocol: "TCP" }];
  await putService(api, "web", { clusterIP: "10.129.1.1", ports: http });
  await putService(api, "db", { clusterIP: "None", ports: [{ name: "http", port: 80 }] });
  await putSlice(api, "db", [
    { addresses: ["10.128.1.5"], hostname: "db-0" },
    { addresses: ["10.128.1.6"], conditions: { ready: true } },
    { addresses: ["10.128.1.7"], conditions: { ready: false } },
  ]);
  await putService(api, "early", { clusterIP: "None", publishNotReadyAddresses: true });
  await putSlice(api, "early", [{ addresses: ["10.128.1.8"], conditions: { ready: false } }]);
  await putService(api, "idle", { clusterIP: "None" });
  await putService(api, "alias", {
    type: "ExternalName",
    externalName: "Web.default.svc.cluster.local",
  });
  await putService(api, "outside", { type: "ExternalName", externalName: "example.org" });
  await putService(api, "loop", {
    type: "ExternalName",
    externalName: "loop.default.svc.cluster.local",
  });
  return api;
}

/** In the namespace `default`. */
export function putService(api: FakeApi, name: string, spec: ServiceSpec): Promise<Service> {
  return api.create(SERVICES, { metadata: { name, namespace: "default" }, spec });
}

/** A slice of a Service of the namespace `default`. */
export async function putSlice(
  api: FakeApi,
  service: string,
  endpoints: Endpoint[],
): Promise<void> {
  const metadata = {
    name: `${service}-1`,
    namespace: "default",
    labels: { "kubernetes.io/service-name": service },
  };
  await api.create(ENDPOINT_SLICES, { metadata, addressType: "IPv4", endpoints, ports: WEB_PORTS });
}

/** Starts the DNS, by default on a free loopback port, and answers with its port. */
export async function startDns(
  api: FakeApi,
  upstreams: string[],
  signal: AbortSignal,
  at = { dnsAddress: network.dnsAddress, listen: { address: "127.0.0.1", port: 0 } },
): Promise<number> {
  const own = { ...network, dnsAddress: at.dnsAddress };
  return new Promise((resolve, reject) => {
    const config = { network: own, listen: at.listen, upstreams };
    const options = { client: api, config, signal, onReady: resolve, log: () => undefined };
    runClusterDns(options).catch(reject);
  });
}
