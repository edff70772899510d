/** Endpoints by locality: their priorities and weights as seen from a client's place. */

import type { LocalityDistribute, LocalityFailover } from "#crds/types/networking-v1.ts";
import type { Endpoint as IrEndpoint, LocalityEndpoints } from "#pilot/ir/endpoint.ts";
import { type Endpoint, type Locality, compareText } from "#pilot/model/object.ts";
import { NETWORK_LABEL, labelAt, parseFailoverLabel } from "#pilot/model/place.ts";
import type { ClientPlace, LocalitySetting } from "./locality-setting.ts";

/** An endpoint in both forms: how it is chosen, and how it is told. */
export interface Member {
  readonly endpoint: Endpoint;
  readonly told: IrEndpoint;
}

/** Members of one locality with the same priority (so far). */
interface Group {
  readonly locality: Locality;
  readonly members: readonly Member[];
  readonly priority: number;
  readonly weight: number;
}

/** Groups in a stable order, priorities without gaps. */
export function arrange(
  members: readonly Member[],
  setting: LocalitySetting,
  place: ClientPlace,
): LocalityEndpoints[] {
  return inOrder(balanced(groupByLocality(members), setting, place)).map((group) => ({
    ...group.locality,
    priority: group.priority,
    weight: group.weight,
    endpoints: group.members
      .map(({ told }) => told)
      .toSorted(
        (left, right) => compareText(left.address, right.address) || left.port - right.port,
      ),
  }));
}

function balanced(
  groups: readonly Group[],
  setting: LocalitySetting,
  { locality, labels }: ClientPlace,
): readonly Group[] {
  switch (setting.kind) {
    case "none":
      return groups;
    case "distribute":
      return distribute(groups, setting.shares, locality);
    case "failover": {
      const split = setting.labels.length === 0 ? groups : byLabels(groups, setting.labels, labels);
      if (setting.labels.length > 0 && setting.regions.length === 0) return split;
      return refine(split, (group) => distance(locality, group.locality, setting.regions));
    }
    case "zone-aware": {
      if (!setting.enabled) return groups;
      const split = setting.labels.length === 0 ? groups : byLabels(groups, setting.labels, labels);
      return refine(split, (group) => regionRank(locality, group.locality, setting.regions));
    }
  }
}

export function localityText({ region, zone, subZone }: Locality): string {
  return `${region}/${zone}/${subZone}`;
}

function groupByLocality(members: readonly Member[]): Group[] {
  const byText = Map.groupBy(members, ({ endpoint }) => localityText(endpoint.locality));
  return [...byText.values()].flatMap((inside) => {
    const first = inside[0];
    if (first === undefined) return [];
    const { locality } = first.endpoint;
    return [{ locality, members: inside, priority: 0, weight: weightOf(inside) }];
  });
}

const MAX_WEIGHT = 4_294_967_295;

function weightOf(members: readonly Member[]): number {
  return Math.min(
    MAX_WEIGHT,
    members.reduce((sum, { told }) => sum + told.weight, 0),
  );
}

/**
 * Shares of localities for clients of one; endpoints that get none are left out. What several
 * patterns match belongs to the most specific.
 */
function distribute(
  groups: readonly Group[],
  rules: readonly LocalityDistribute[],
  client: Locality,
): readonly Group[] {
  const rule = rules.find((one) => matchesPattern(client, one.from ?? ""));
  if (rule === undefined) return groups;
  const shares = Object.entries(rule.to ?? {}).toSorted(
    ([left], [right]) => wildcards(left) - wildcards(right) || compareText(left, right),
  );
  const patternOf = (group: Group): string | undefined =>
    shares.find(([pattern]) => matchesPattern(group.locality, pattern))?.[0];
  const totals = new Map<string, number>();
  for (const group of groups) {
    const pattern = patternOf(group);
    if (pattern !== undefined) totals.set(pattern, (totals.get(pattern) ?? 0) + group.weight);
  }
  return groups.flatMap((group) => {
    const pattern = patternOf(group);
    if (pattern === undefined) return [];
    const share = shares.find(([name]) => name === pattern)?.[1] ?? 0;
    const weight = Math.ceil((group.weight * share) / (totals.get(pattern) ?? 1));
    return weight === 0 ? [] : [{ ...group, weight }];
  });
}

/** `region/zone/subzone`; a part that is `*` or missing matches all. */
function matchesPattern(locality: Locality, pattern: string): boolean {
  const [region = "", zone = "", subZone = ""] = pattern.split("/");
  return (
    (region === "*" || locality.region === region) &&
    ["*", "", locality.zone].includes(zone) &&
    ["*", "", locality.subZone].includes(subZone)
  );
}

function wildcards(pattern: string): number {
  const [region = "", zone = "", subZone = ""] = pattern.split("/");
  return [region, zone, subZone].filter((part) => part === "*" || part === "").length;
}

/** 0 for the client's own place, up to 4: another region than those to fail over to. */
function distance(client: Locality, other: Locality, regions: readonly LocalityFailover[]): number {
  if (client.region === other.region) {
    if (client.zone !== other.zone) return 2;
    return client.subZone === other.subZone ? 0 : 1;
  }
  const rule = regions.find((one) => one.from === client.region);
  return rule === undefined || rule.to === other.region ? 3 : 4;
}

/** Zones of the own region are of one priority: they share the traffic. */
function regionRank(
  client: Locality,
  other: Locality,
  regions: readonly LocalityFailover[],
): number {
  if (client.region === other.region) return 0;
  const rule = regions.find((one) => one.from === client.region);
  return rule !== undefined && rule.to === other.region ? 1 : 2;
}

/**
 * Each group split by how many of the labels, in their order, endpoints have in common with the
 * client. Another network (where it is the first label) comes after all others, whatever else is
 * common.
 */
function byLabels(
  groups: readonly Group[],
  labels: readonly string[],
  client: ReadonlyMap<string, string>,
): Group[] {
  const wanted = labels.map((text) => {
    const { name, value } = parseFailoverLabel(text);
    return { name, value: value ?? client.get(name) ?? "" };
  });
  return groups.flatMap((group) => {
    const split = Map.groupBy(group.members, ({ endpoint }) => labelRank(endpoint, wanted));
    return [...split].map(([priority, members]) => ({
      ...group,
      members,
      priority,
      weight: weightOf(members),
    }));
  });
}

function labelRank(
  endpoint: Endpoint,
  wanted: readonly { readonly name: string; readonly value: string }[],
): number {
  let later = 0;
  for (const [at, { name, value }] of wanted.entries()) {
    if (labelAt(name, endpoint) === value) continue;
    if (at > 0 || name !== NETWORK_LABEL) return wanted.length - at + later;
    later = wanted.length;
  }
  return later;
}

/** Orders groups of one priority by a rank. */
function refine(groups: readonly Group[], rankOf: (group: Group) => number): Group[] {
  const ranks = 5;
  return groups.map((group) => ({ ...group, priority: group.priority * ranks + rankOf(group) }));
}

/** Priorities count from 0 without gaps, as Envoy wants them. */
function inOrder(groups: readonly Group[]): Group[] {
  const used = [...new Set(groups.map(({ priority }) => priority))].toSorted((a, b) => a - b);
  return groups
    .map((group) => ({ ...group, priority: used.indexOf(group.priority) }))
    .toSorted(
      (left, right) =>
        left.priority - right.priority ||
        compareText(localityText(left.locality), localityText(right.locality)),
    );
}
