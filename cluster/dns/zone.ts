/**
 * Names of the cluster, after "Kubernetes DNS-Based Service Discovery" (schema version 1.1.0);
 * where that leaves it open, as CoreDNS answers.
 */

import { isIPv4 } from "node:net";
import type { Service } from "#cluster/api/generated/core-v1.ts";
import { endpointsOf } from "./endpoints.ts";
import type { DnsRecord, ZoneAnswer } from "./record.ts";
import { answerReverse } from "./reverse.ts";
import { soa } from "./soa.ts";
import { srvRecords } from "./srv.ts";
import { TTL_SECONDS } from "./ttl.ts";
import { RCODE, TYPE } from "./wire.ts";
import { serviceAddresses } from "./zone-source.ts";
import type { ZoneSource } from "./zone-source.ts";

export interface ZoneConfig {
  /** For example `cluster.local`, in lower case. */
  domain: string;
  dnsAddress: string;
  /** Addresses in these are nobody else's to name. */
  ownCidrs: readonly string[];
}

export interface Question {
  /** In lower case, without the root. */
  labels: readonly string[];
  type: number;
}

/** Undefined when the name is someone else's; otherwise the answer that the objects give. */
export function answerZone(
  question: Question,
  source: ZoneSource,
  config: ZoneConfig,
): ZoneAnswer | undefined {
  const { labels } = question;
  if (labels.at(-1) === "arpa") return answerReverse(question, source, config);
  const zone = config.domain.split(".");
  const start = labels.length - zone.length;
  if (start < 0 || zone.some((label, at) => labels[start + at] !== label)) return undefined;
  const found = lookUp(labels.slice(0, start), { question, source, config });
  return finish(found, question, config);
}

interface Context {
  question: Question;
  source: ZoneSource;
  config: ZoneConfig;
}

/** Records of the name, of whatever type; `exists` also for names that only have names below. */
interface Found {
  exists: boolean;
  records?: readonly DnsRecord[];
  additionals?: readonly DnsRecord[];
  chase?: string;
}

const NOTHING: Found = { exists: false };
const EMPTY: Found = { exists: true };

function lookUp(labels: readonly string[], context: Context): Found {
  const { source, config } = context;
  const name = nameOf(context.question);
  switch (labels.at(-1)) {
    case undefined:
      return { exists: true, records: [soa(config.domain, config.domain), nameServer(config)] };
    case "svc":
      return lookUpService(labels.slice(0, -1), context);
    case "pod":
      return lookUpPod(labels.slice(0, -1), name, source);
    case "dns-version":
      if (labels.length > 1) return NOTHING;
      return { exists: true, records: [{ type: "TXT", name, ttl: TTL_SECONDS, data: "1.1.0" }] };
    case "dns":
      if (labels.length === 1) return EMPTY;
      return labels.length === 2 && labels[0] === "ns"
        ? { exists: true, records: [addressRecord(name, config.dnsAddress)] }
        : NOTHING;
    default:
      return NOTHING;
  }
}

/** `SERVICE.NAMESPACE`, with an endpoint's name or `_PORT._PROTOCOL` before it. */
function lookUpService(labels: readonly string[], context: Context): Found {
  const { source } = context;
  if (labels.length === 0) return EMPTY;
  const namespace = labels.at(-1) ?? "";
  if (labels.length === 1) return source.hasNamespace(namespace) ? EMPTY : NOTHING;
  const service = source.service(namespace, labels.at(-2) ?? "");
  if (service === undefined || labels.length > 4) return NOTHING;
  const before = labels.slice(0, -2);
  const [first = "", second = ""] = before;
  if (before.length === 0) return lookUpServiceItself(service, context);
  if (before.length === 2) {
    return lookUpPort({ service, portName: first.slice(1), protocol: second.slice(1) }, context);
  }
  if (first.startsWith("_")) {
    const ports = service.spec?.ports ?? [];
    return ports.some((port) => `_${(port.protocol ?? "TCP").toLowerCase()}` === first)
      ? EMPTY
      : NOTHING;
  }
  return isHeadless(service) ? lookUpEndpoint(service, first, context) : NOTHING;
}

function lookUpServiceItself(service: Service, context: Context): Found {
  const { source, config, question } = context;
  const name = nameOf(question);
  const { type, externalName } = service.spec ?? {};
  if (type === "ExternalName") {
    if (externalName === undefined || externalName === "") return EMPTY;
    const data = externalName.toLowerCase().replace(/\.$/, "");
    return {
      exists: true,
      records: [{ type: "CNAME", name, ttl: TTL_SECONDS, data }],
      chase: data,
    };
  }
  const srv = srvRecords({ service, source, domain: config.domain, name });
  if (!isHeadless(service)) {
    const addresses = serviceAddresses(service).filter((address) => isIPv4(address));
    return {
      exists: true,
      records: [...addressRecords(name, addresses), ...srv.records],
      ...srv.extra,
    };
  }
  const endpoints = endpointsOf(service, source);
  // The specification: without ready endpoints the answer is NXDOMAIN.
  if (endpoints.length === 0) return NOTHING;
  const addresses = [...new Set(endpoints.map((endpoint) => endpoint.address))];
  return {
    exists: true,
    records: [...addressRecords(name, addresses), ...srv.records],
    ...srv.extra,
  };
}

function lookUpPort(
  at: { service: Service; portName: string; protocol: string },
  context: Context,
): Found {
  const { source, config, question } = context;
  const { service, portName, protocol } = at;
  const [first, second] = question.labels;
  if (first?.startsWith("_") !== true || second?.startsWith("_") !== true) return NOTHING;
  const only = { portName, protocol };
  const srv = srvRecords({ service, source, domain: config.domain, name: nameOf(question), only });
  return srv.records.length === 0 ? NOTHING : { exists: true, records: srv.records, ...srv.extra };
}

function lookUpEndpoint(service: Service, hostname: string, context: Context): Found {
  const endpoints = endpointsOf(service, context.source);
  const found = endpoints.filter((endpoint) => endpoint.hostname === hostname);
  if (found.length === 0) return NOTHING;
  const addresses = [...new Set(found.map((endpoint) => endpoint.address))];
  return { exists: true, records: addressRecords(nameOf(context.question), addresses) };
}

/** `1-2-3-4.NAMESPACE`: any address, since such names exist for certificates, not for finding. */
function lookUpPod(labels: readonly string[], name: string, source: ZoneSource): Found {
  if (labels.length === 0) return EMPTY;
  if (labels.length > 2 || !source.hasNamespace(labels.at(-1) ?? "")) return NOTHING;
  if (labels.length === 1) return EMPTY;
  const address = (labels[0] ?? "").replaceAll("-", ".");
  return isIPv4(address) ? { exists: true, records: [addressRecord(name, address)] } : NOTHING;
}

function finish(found: Found, question: Question, config: ZoneConfig): ZoneAnswer {
  const records = found.records ?? [];
  const wanted = records.filter((record) => isWanted(record, question.type));
  const alias = records.find((record) => record.type === "CNAME");
  if (wanted.length > 0) {
    const additionals = wanted[0]?.type === "SRV" ? (found.additionals ?? []) : [];
    return { rcode: RCODE.NOERROR, answers: wanted, authorities: [], additionals };
  }
  if (alias !== undefined && found.chase !== undefined) {
    const answer = { rcode: RCODE.NOERROR, answers: [alias], authorities: [], additionals: [] };
    return { ...answer, chase: found.chase };
  }
  const rcode = found.exists ? RCODE.NOERROR : RCODE.NXDOMAIN;
  return { rcode, answers: [], authorities: [soa(config.domain, config.domain)], additionals: [] };
}

/** ANY is answered with what there is, which is little. */
function isWanted(record: DnsRecord, type: number): boolean {
  return type === TYPE.ANY || TYPE[record.type] === type;
}

function isHeadless(service: Service): boolean {
  return service.spec?.clusterIP === "None";
}

function addressRecords(name: string, addresses: readonly string[]): DnsRecord[] {
  return addresses.map((address) => addressRecord(name, address));
}

function addressRecord(name: string, data: string): DnsRecord {
  return { type: "A", name, ttl: TTL_SECONDS, data };
}

/** The question's name as text; labels that contain dots match nothing of ours. */
function nameOf(question: Question): string {
  return question.labels.join(".");
}

function nameServer(config: ZoneConfig): DnsRecord {
  return { type: "NS", name: config.domain, ttl: TTL_SECONDS, data: `ns.dns.${config.domain}` };
}
