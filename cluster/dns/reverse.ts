/** Addresses back to names: `4.3.2.1.in-addr.arpa`. */

import { isIPv4 } from "node:net";
import { endpointsOf } from "./endpoints.ts";
import type { DnsRecord, ZoneAnswer } from "./record.ts";
import { soa } from "./soa.ts";
import { TTL_SECONDS } from "./ttl.ts";
import { RCODE, TYPE } from "./wire.ts";
import { serviceOf } from "./zone-source.ts";
import type { ZoneSource } from "./zone-source.ts";

/** Undefined for addresses that are neither known nor in the cluster's ranges. */
export function answerReverse(
  question: { labels: readonly string[]; type: number },
  source: ZoneSource,
  config: { domain: string; ownCidrs: readonly string[] },
): ZoneAnswer | undefined {
  const { labels, type } = question;
  if (labels.length !== 6 || labels[4] !== "in-addr") return undefined;
  const address = labels.slice(0, 4).toReversed().join(".");
  if (!isIPv4(address)) return undefined;
  const targets = namesOf(address, source, config.domain);
  const zone = config.ownCidrs
    .map(reverseZoneOf)
    .find((own) => labels.join(".").endsWith(`.${own}`));
  if (targets.length === 0 && zone === undefined) return undefined;
  if (targets.length > 0 && (type === TYPE.PTR || type === TYPE.ANY)) {
    const name = labels.join(".");
    const answers = targets.map((data): DnsRecord => ({
      type: "PTR",
      name,
      ttl: TTL_SECONDS,
      data,
    }));
    return { rcode: RCODE.NOERROR, answers, authorities: [], additionals: [] };
  }
  return {
    rcode: targets.length > 0 ? RCODE.NOERROR : RCODE.NXDOMAIN,
    answers: [],
    authorities: [soa(zone ?? "in-addr.arpa", config.domain)],
    additionals: [],
  };
}

/** The Service whose address it is, else the endpoints of headless Services that have it. */
function namesOf(address: string, source: ZoneSource, domain: string): string[] {
  const services = source
    .servicesByAddress(address)
    .map(({ metadata }) => `${metadata.name}.${metadata.namespace}.svc.${domain}`);
  if (services.length > 0) return services;
  const names = source.slicesByAddress(address).flatMap((slice) => {
    const namespace = slice.metadata.namespace ?? "";
    const service = source.service(namespace, serviceOf(slice));
    if (service?.spec?.clusterIP !== "None") return [];
    return endpointsOf(service, source)
      .filter((endpoint) => endpoint.address === address)
      .map(({ hostname }) => `${hostname}.${service.metadata.name}.${namespace}.svc.${domain}`);
  });
  return [...new Set(names)].toSorted((a, b) => (a < b ? -1 : 1));
}

/** `10.128.0.0/16` → `128.10.in-addr.arpa`; whole octets only. */
function reverseZoneOf(cidr: string): string {
  const [base = "", length = "32"] = cidr.split("/");
  const octets = base.split(".").slice(0, Math.floor(Number(length) / 8));
  return `${octets.toReversed().join(".")}.in-addr.arpa`;
}
