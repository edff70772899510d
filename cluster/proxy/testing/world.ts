/** Services, endpoints and a node for the proxy's tests. */

import type { Service, ServiceSpec } from "#cluster/api/generated/core-v1.ts";
import type { Endpoint, EndpointSlice } from "#cluster/api/generated/discovery-v1.ts";
import { FakeNft } from "./fake-nft.ts";
import { tracePacket } from "./trace-packet.ts";
import type { Fate, Packet } from "./trace-packet.ts";
import { frontendsOf } from "#cluster/proxy/frontend.ts";
import { Syncer } from "#cluster/proxy/syncer.ts";

/** The node whose proxy is looked at. */
export const NODE = { nodeName: "node-1", nodeAddress: "192.0.2.11" };

/** A Service `default/web` with one port, 80. */
export function service(spec: Partial<ServiceSpec>, name = "web"): Service {
  return {
    metadata: { name, namespace: "default" },
    spec: {
      type: "ClusterIP",
      clusterIP: "10.96.0.1",
      ports: [{ name: "http", port: 80, protocol: "TCP" }],
      ...spec,
    },
  };
}

/** A Service's spec with LoadBalancer and NodePort. */
export const loadBalancer: Partial<ServiceSpec> = {
  type: "LoadBalancer",
  ports: [{ name: "http", port: 80, nodePort: 30080 }],
};
/** The status to it. */
export const status = { loadBalancer: { ingress: [{ ip: "198.51.100.1" }] } };

/** A slice of `default/web` with port 8080. */
export function slice(endpoints: readonly Endpoint[], ports = [{ name: "http", port: 8080 }]) {
  const metadata = { name: "web-1", namespace: "default" };
  return {
    metadata,
    addressType: "IPv4",
    endpoints: [...endpoints],
    ports,
  } satisfies EndpointSlice;
}

/** A ready endpoint of this node. */
export function at(address: string, more: Partial<Endpoint> = {}): Endpoint {
  return { addresses: [address], nodeName: "node-1", conditions: { ready: true }, ...more };
}

/** For `at`: on another node. */
export const elsewhere = { nodeName: "node-2" };

/** A proxy over FakeNft that serves one Service, and what can be done with it. */
export async function world(target: Service, slices: readonly EndpointSlice[]) {
  const nft = new FakeNft();
  const log: string[] = [];
  const syncer = new Syncer(nft, ["10.96.0.0/16"], (line) => log.push(line));
  const set = (object: Service, its: readonly EndpointSlice[]) =>
    syncer.apply([
      {
        serviceKey: `default/${object.metadata.name}`,
        frontends: frontendsOf({ service: object, slices: its, ...NODE }),
      },
    ]);
  await set(target, slices);
  const send = (packet: Partial<Packet>, random?: (choices: number) => number): Fate =>
    tracePacket(
      nft.tables,
      {
        protocol: "tcp",
        source: "10.1.1.9",
        destination: "10.96.0.1",
        port: 80,
        from: "pod",
        ...packet,
      },
      random,
    );
  return { nft, log, set, send, syncer };
}

/** The fate of a connection that got through. */
export function forwarded(to: string, isMasqueraded = false): Fate {
  return { kind: "forwarded", to, isMasqueraded };
}
