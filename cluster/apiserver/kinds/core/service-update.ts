/** What an update of a Service keeps of what was allocated, or gives back. */

import {
  cloneJson,
  equalJson,
  objectsAt,
  stringAt,
  type JsonObject,
} from "#cluster/apiserver/schema/json.ts";

/** `spec` may be unchecked; the old one was stored. Writes into `spec`. */
export function carryOver(spec: JsonObject, old: JsonObject): void {
  const type = stringAt(spec, "type");
  const oldType = stringAt(old, "type");
  if (type !== "ExternalName" && oldType !== "ExternalName") {
    keepWhenMissing(spec, old, "clusterIP");
    if (stringAt(spec, "clusterIP") === stringAt(old, "clusterIP")) {
      keepWhenMissing(spec, old, "clusterIPs");
    }
  }
  if (type === "ExternalName" && oldType !== "ExternalName") {
    for (const field of ["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"]) {
      dropUnchanged(spec, old, field);
    }
    dropUnchanged(spec, old, "internalTrafficPolicy");
  }
  if (needsNodePorts(type) && needsNodePorts(oldType)) keepNodePorts(spec, old);
  else if (needsNodePorts(oldType)) dropNodePorts(spec, old);
  if (!needsNodePorts(type)) dropUnchanged(spec, old, "externalTrafficPolicy");
  if (type !== "LoadBalancer") dropUnchanged(spec, old, "allocateLoadBalancerNodePorts");
  if (spec["sessionAffinity"] === "None") delete spec["sessionAffinityConfig"];
}

function needsNodePorts(type: string): boolean {
  return type === "NodePort" || type === "LoadBalancer";
}

function keepWhenMissing(spec: JsonObject, old: JsonObject, field: string): void {
  const value = spec[field];
  const missing = value === undefined || value === "";
  if (missing && old[field] !== undefined) spec[field] = cloneJson(old[field]);
}

function dropUnchanged(spec: JsonObject, old: JsonObject, field: string): void {
  if (equalJson(spec[field], old[field])) delete spec[field];
}

/** A port that names no node port keeps the one that it had. */
function keepNodePorts(spec: JsonObject, old: JsonObject): void {
  for (const port of objectsAt(spec, "ports")) {
    if ((port["nodePort"] ?? 0) !== 0) continue;
    const before = objectsAt(old, "ports").find((known) => isSamePort(known, port));
    if (before?.["nodePort"] !== undefined) port["nodePort"] = before["nodePort"];
  }
}

function dropNodePorts(spec: JsonObject, old: JsonObject): void {
  for (const port of objectsAt(spec, "ports")) {
    const before = objectsAt(old, "ports").find((known) => isSamePort(known, port));
    if (before !== undefined && before["nodePort"] === port["nodePort"]) delete port["nodePort"];
  }
}

function isSamePort(a: JsonObject, b: JsonObject): boolean {
  return a["port"] === b["port"] && (a["protocol"] ?? "TCP") === (b["protocol"] ?? "TCP");
}
