/** The record that says "there is nothing", and how long that may be kept (RFC 2308). */

import type { DnsRecord } from "./record.ts";
import { TTL_SECONDS } from "./ttl.ts";

/** The start of authority of a zone that the cluster's DNS answers for. */
export function soa(zone: string, domain: string): DnsRecord {
  const data = {
    mname: `ns.dns.${domain}`,
    rname: `hostmaster.${domain}`,
    serial: 1,
    refresh: 7_200,
    retry: 1_800,
    expire: 86_400,
    minimum: TTL_SECONDS,
  };
  return { type: "SOA", name: zone, ttl: TTL_SECONDS, data };
}
