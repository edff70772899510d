/** The downward API: a pod's own fields and resources as text. */

import type { Container, Pod, ResourceFieldSelector } from "#cluster/api/generated/core-v1.ts";
import { parseQuantity } from "#cluster/api/quantity.ts";
import { findContainer } from "./pod-parts.ts";

/** What a pod's fields can't tell by themselves. */
export interface NodeFacts {
  nodeName: string;
  nodeAddress: string;
  allocatable: { cpu: string; memory: string; "ephemeral-storage": string };
}

export type FieldResult = { ok: true; value: string } | { ok: false; message: string };

const SUBSCRIPT = /^metadata\.(labels|annotations)\['([^']{1,512})'\]$/;

/** The value of a fieldPath; `podIp` is what the pod's network has, status may lag behind. */
export function fieldValue(
  pod: Pod,
  fieldPath: string,
  facts: NodeFacts,
  podIp: string | undefined,
): FieldResult {
  const subscript = SUBSCRIPT.exec(fieldPath);
  if (subscript !== null) {
    const map = pod.metadata[subscript[1] === "labels" ? "labels" : "annotations"] ?? {};
    const key = subscript[2] ?? "";
    return { ok: true, value: Object.hasOwn(map, key) ? (map[key] ?? "") : "" };
  }
  const values: Record<string, () => string | undefined> = {
    "metadata.name": () => pod.metadata.name,
    "metadata.namespace": () => pod.metadata.namespace,
    "metadata.uid": () => pod.metadata.uid,
    "metadata.labels": () => formatMap(pod.metadata.labels),
    "metadata.annotations": () => formatMap(pod.metadata.annotations),
    "spec.nodeName": () => facts.nodeName,
    "spec.serviceAccountName": () => pod.spec?.serviceAccountName,
    "status.hostIP": () => facts.nodeAddress,
    "status.hostIPs": () => facts.nodeAddress,
    "status.podIP": () => podIp,
    "status.podIPs": () => podIp,
  };
  if (!Object.hasOwn(values, fieldPath)) {
    return { ok: false, message: `unsupported fieldPath: ${fieldPath}` };
  }
  return { ok: true, value: values[fieldPath]?.() ?? "" };
}

/** `key="value"` lines, sorted, as a downward API file has them. */
function formatMap(map: Readonly<Record<string, string>> = {}): string {
  return Object.entries(map)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${key}=${JSON.stringify(value)}`)
    .join("\n");
}

/**
 * The value of a resource, divided by the divisor and rounded up. A limit that isn't set is the
 * node's allocatable amount.
 */
export function resourceValue(
  pod: Pod,
  selector: ResourceFieldSelector,
  facts: NodeFacts,
  own?: Container,
): FieldResult {
  const name = selector.containerName;
  const container = name === undefined || name === "" ? own : findContainer(pod, name);
  if (container === undefined) return { ok: false, message: `container ${name} not found` };
  const [kind, ...rest] = selector.resource.split(".");
  const resource = rest.join(".");
  if ((kind !== "limits" && kind !== "requests") || resource === "") {
    return { ok: false, message: `unsupported container resource: ${selector.resource}` };
  }
  const { limits = {}, requests = {} } = container.resources ?? {};
  const node: Record<string, string> = facts.allocatable;
  const fallback = kind === "limits" && Object.hasOwn(node, resource) ? node[resource] : "0";
  const chosen = kind === "limits" ? limits[resource] : (requests[resource] ?? limits[resource]);
  const amount = parseQuantity(chosen ?? fallback ?? "0");
  const divisor = parseQuantity(selector.divisor ?? "1");
  if (!amount.ok) return amount;
  if (!divisor.ok) return divisor;
  const unit = divisor.value === 0n ? 1_000_000_000n : divisor.value;
  return { ok: true, value: String((amount.value + unit - 1n) / unit) };
}
