/** SRV records of a Service, and the addresses of their targets. */

import type { Service } from "#cluster/api/generated/core-v1.ts";
import { endpointsOf } from "./endpoints.ts";
import type { DnsRecord } from "./record.ts";
import { serviceAddresses } from "./zone-source.ts";
import type { ZoneSource } from "./zone-source.ts";
import { TTL_SECONDS } from "./ttl.ts";

export interface SrvRequest {
  service: Service;
  source: ZoneSource;
  domain: string;
  /** The question's name, which owns the records. */
  name: string;
  /** One port instead of all named ones; both in lower case. */
  only?: { portName: string; protocol: string };
}

interface Target {
  port: number;
  target: string;
  address: string;
}

/** Of a headless Service one record an endpoint and port, otherwise one a port. */
export function srvRecords(request: SrvRequest): {
  records: DnsRecord[];
  extra: { additionals: DnsRecord[] };
} {
  const targets =
    request.service.spec?.clusterIP === "None" ? perEndpoint(request) : perPort(request);
  const weight = Math.max(1, Math.floor(100 / Math.max(1, targets.length)));
  const addresses = new Map(
    targets.map(({ target, address }) => [`${target} ${address}`, { target, address }]),
  );
  return {
    records: targets.map(({ port, target }) => ({
      type: "SRV",
      name: request.name,
      ttl: TTL_SECONDS,
      data: { priority: 0, weight, port, target },
    })),
    extra: {
      additionals: [...addresses.values()].map(({ target, address }) => ({
        type: "A",
        name: target,
        ttl: TTL_SECONDS,
        data: address,
      })),
    },
  };
}

function perPort(request: SrvRequest): Target[] {
  const address = serviceAddresses(request.service)[0];
  if (address === undefined) return [];
  const target = serviceName(request);
  return (request.service.spec?.ports ?? [])
    .filter((port) => isAsked(port, request.only))
    .map((port) => ({ port: port.port, target, address }));
}

function perEndpoint(request: SrvRequest): Target[] {
  return endpointsOf(request.service, request.source).flatMap((endpoint) =>
    endpoint.ports
      .filter((port) => isAsked(port, request.only))
      .flatMap(({ port }) => {
        if (port === undefined) return [];
        const target = `${endpoint.hostname}.${serviceName(request)}`;
        return [{ port, target, address: endpoint.address }];
      }),
  );
}

function isAsked(port: { name?: string; protocol?: string }, only: SrvRequest["only"]): boolean {
  const name = (port.name ?? "").toLowerCase();
  if (only === undefined) return name !== "";
  return name === only.portName && (port.protocol ?? "TCP").toLowerCase() === only.protocol;
}

function serviceName(request: SrvRequest): string {
  const { namespace = "", name } = request.service.metadata;
  return `${name}.${namespace}.svc.${request.domain}`;
}
