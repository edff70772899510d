/** A ServiceEntry as names with addresses; its fields are whatever its API server let through. */

import { isIPv4 } from "node:net";
import type { KubeObject } from "#cluster/api/meta.ts";
import type { ZoneAnswer } from "./record.ts";
import { soa } from "./soa.ts";
import { TTL_SECONDS } from "./ttl.ts";
import { RCODE, TYPE } from "./wire.ts";

export interface EntryHost {
  /** In lower case; `*.example.org` stands for every name below. */
  readonly host: string;
  readonly addresses: readonly string[];
  /** Orders entries: the time of creation, then namespace and name. */
  readonly age: string;
}

/** Always the newest state known, as a ZoneSource. */
export interface EntrySource {
  /** Who declares exactly this host (or wildcard), oldest first. */
  declared(host: string): readonly EntryHost[];
}

/**
 * The hosts that are answered: with the addresses written in the entry, else with those that its
 * status gives. Not those that proxies look up themselves, since they would find their own way in:
 * resolution by DNS of the host's own name.
 */
export function hostsOfEntry(entry: KubeObject): EntryHost[] {
  const spec = fieldsOf(entry["spec"]);
  const written = textsOf(spec.get("addresses"));
  const { creationTimestamp = "", namespace = "", name } = entry.metadata;
  const age = `${creationTimestamp} ${namespace}/${name}`;
  return textsOf(spec.get("hosts")).flatMap((text): EntryHost[] => {
    const host = text.toLowerCase().replace(/\.$/, "");
    if (isLookedUp(host, spec)) return [];
    const all = written.length > 0 ? written : allocated(entry["status"], text);
    const addresses = all.map((one) => one.replace(/\/32$/, "")).filter((one) => isIPv4(one));
    return addresses.length === 0 ? [] : [{ host, addresses, age }];
  });
}

function isLookedUp(host: string, spec: ReadonlyMap<string, unknown>): boolean {
  const resolution = spec.get("resolution");
  if (resolution === "DYNAMIC_DNS") return true;
  if (resolution !== "DNS" && resolution !== "DNS_ROUND_ROBIN") return false;
  if (spec.get("workloadSelector") !== undefined) return false;
  const endpoints = listOf(spec.get("endpoints")).map((one) => fieldsOf(one).get("address"));
  if (endpoints.length === 0) return true;
  return endpoints.some((address) => typeof address === "string" && address.toLowerCase() === host);
}

function allocated(status: unknown, host: string): string[] {
  return listOf(fieldsOf(status).get("addresses")).flatMap((one) => {
    const fields = fieldsOf(one);
    const value = fields.get("value");
    return fields.get("host") === host && typeof value === "string" ? [value] : [];
  });
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? (value as unknown[]) : [];
}

function textsOf(value: unknown): string[] {
  return listOf(value).filter((one) => typeof one === "string");
}

function fieldsOf(value: unknown): ReadonlyMap<string, unknown> {
  return new Map(typeof value === "object" && value !== null ? Object.entries(value) : []);
}

/** The answer for a host of the mesh; undefined for names that no entry has. */
export function answerEntry(
  question: { readonly labels: readonly string[]; readonly type: number },
  source: EntrySource,
  domain: string,
): ZoneAnswer | undefined {
  const { labels, type } = question;
  const name = labels.join(".");
  const found = declaredFor(labels, source);
  if (found === undefined) return undefined;
  const wanted = type === TYPE.A || type === TYPE.ANY;
  return {
    rcode: RCODE.NOERROR,
    answers: wanted
      ? found.addresses.map((data) => ({ type: "A", name, ttl: TTL_SECONDS, data }))
      : [],
    authorities: wanted ? [] : [soa(name, domain)],
    additionals: [],
  };
}

/** The host itself, else the nearest wildcard above it. */
function declaredFor(labels: readonly string[], source: EntrySource): EntryHost | undefined {
  for (let at = 0; at < labels.length; at++) {
    const host = at === 0 ? labels.join(".") : ["*", ...labels.slice(at)].join(".");
    const first = source.declared(host)[0];
    if (first !== undefined) return first;
  }
  return undefined;
}
