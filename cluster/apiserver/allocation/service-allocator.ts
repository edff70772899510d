/**
 * ClusterIPs and NodePorts of Services. What is taken is derived from the Services themselves, so
 * nothing else has to be stored or repaired; writes under way hold reservations.
 */

import { randomInt } from "node:crypto";
import type { KubeObject } from "#cluster/api/meta.ts";
import type { Service, ServicePort, ServiceSpec } from "#cluster/api/generated/core-v1.ts";
import { SERVICES } from "#cluster/api/resources.ts";
import { statusError } from "#cluster/api/status-error.ts";
import { invalid } from "#cluster/apiserver/registry/errors.ts";
import type { Allocator } from "#cluster/apiserver/registry/context.ts";
import { collectionPrefix } from "#cluster/apiserver/registry/keys.ts";
import { isObject, objectsAt } from "#cluster/apiserver/schema/json.ts";
import type { Store, StoredValue } from "#cluster/storage/store.ts";
import { isInRange, parseRange, toAddress, type AddressRange } from "./address-range.ts";

const FIRST_NODE_PORT = 30_000;
const LAST_NODE_PORT = 32_767;
/**
 * Addresses at the start of the range are for those who name one (`kubernetes`, `kube-dns`);
 * Kubernetes keeps such a band too (KEP-3070).
 */
const STATIC_BAND = 256;
/** Random draws before the range is searched from its start. */
const DRAWS = 16;
const SERVICE_KIND = { ...SERVICES, kind: "Service" };

/** Counts holders, as a Service's old and new state may hold the same for a moment. */
class Claims {
  readonly #holders = new Map<string, number>();

  has(claim: string): boolean {
    return this.#holders.has(claim);
  }

  add(claims: readonly string[]): void {
    for (const claim of claims) this.#holders.set(claim, (this.#holders.get(claim) ?? 0) + 1);
  }

  remove(claims: readonly string[]): void {
    for (const claim of claims) {
      const count = (this.#holders.get(claim) ?? 0) - 1;
      if (count > 0) this.#holders.set(claim, count);
      else this.#holders.delete(claim);
    }
  }
}

/** Follows the Services in the store from now on. */
export function createServiceAllocator(store: Store, serviceCidr: string): Allocator {
  const range = parseRange(serviceCidr);
  const taken = new Claims();
  const { revision } = store;
  const listed = store.list(collectionPrefix(SERVICES));
  if (listed.ok) for (const stored of listed.values) taken.add(claimsOfStored(stored));
  store.watch(collectionPrefix(SERVICES), revision, ({ current, previous }) => {
    if (current !== undefined) taken.add(claimsOfStored(current));
    if (previous !== undefined) taken.remove(claimsOfStored(previous));
  });
  return {
    kind: SERVICES,
    allocate(object, old) {
      if (!isObject(object.spec)) return () => undefined;
      const own = new Set(old === undefined ? [] : claimsOf(old));
      const reserved: string[] = [];
      const reserve = (claim: string): boolean => {
        if (taken.has(claim) && !own.has(claim)) return false;
        taken.add([claim]);
        reserved.push(claim);
        return true;
      };
      try {
        allocateAddress(object, old, { range, reserve });
        allocateNodePorts(object, old, reserve);
      } catch (error) {
        taken.remove(reserved);
        throw error;
      }
      return () => taken.remove(reserved);
    },
  };
}

type Reserve = (claim: string) => boolean;

function allocateAddress(
  object: KubeObject,
  old: Readonly<KubeObject> | undefined,
  { range, reserve }: { range: AddressRange; reserve: Reserve },
): void {
  const spec = specOf(object);
  if (spec.type === "ExternalName") {
    delete spec.clusterIP;
    delete spec.clusterIPs;
    return;
  }
  const before = old === undefined ? undefined : specOf(old).clusterIP;
  const asked = spec.clusterIP || spec.clusterIPs?.[0] || before || "";
  if (before !== undefined && before !== "" && asked !== before) {
    throw refuse(object, "spec.clusterIP", `Invalid value: "${asked}": field is immutable`);
  }
  if (asked !== "None" && asked !== before && asked !== "" && !isInRange(range, asked)) {
    const cidr = `${toAddress(range.first)}/${32 - Math.log2(range.size)}`;
    const why = `failed to allocate IP ${asked}: the provided IP is not in the valid range ${cidr}`;
    throw refuse(object, "spec.clusterIPs", `Invalid value: ["${asked}"]: ${why}`);
  }
  const address = asked === "" ? drawAddress(range, reserve) : asked;
  if (asked !== "" && asked !== "None" && asked !== before && !reserve(`ip ${asked}`)) {
    const why = `failed to allocate IP ${asked}: provided IP is already allocated`;
    throw refuse(object, "spec.clusterIPs", `Invalid value: ["${asked}"]: ${why}`);
  }
  spec.clusterIP = address;
  spec.clusterIPs = [address];
  spec.ipFamilies ??= ["IPv4"];
  spec.ipFamilyPolicy ??= "SingleStack";
  spec.internalTrafficPolicy ??= "Cluster";
}

function drawAddress(range: AddressRange, reserve: Reserve): string {
  const low = range.first + Math.min(STATIC_BAND, Math.floor(range.size / 16)) + 1;
  // Neither the network's own address nor its broadcast.
  const high = range.first + range.size - 1;
  if (high <= low) throw rangeFull();
  for (let draw = 0; draw < DRAWS; draw++) {
    const address = toAddress(randomInt(low, high));
    if (reserve(`ip ${address}`)) return address;
  }
  for (const [start, end] of [
    [low, high],
    [range.first + 1, low],
  ] as const) {
    for (let value = start; value < end; value++) {
      if (reserve(`ip ${toAddress(value)}`)) return toAddress(value);
    }
  }
  throw rangeFull();
}

function rangeFull(): Error {
  return statusError("InternalError", "failed to allocate a serviceIP: range is full");
}

function allocateNodePorts(
  object: KubeObject,
  old: Readonly<KubeObject> | undefined,
  reserve: Reserve,
): void {
  const spec = specOf(object);
  const ports = objectsAt(object, "spec", "ports") as unknown as ServicePort[];
  const wanted =
    spec.type === "NodePort" ||
    (spec.type === "LoadBalancer" && spec.allocateLoadBalancerNodePorts !== false);
  if (!wanted) {
    const keeps = spec.type === "LoadBalancer";
    if (!keeps) for (const port of ports) delete port.nodePort;
    return;
  }
  const before = old === undefined ? [] : (specOf(old).ports ?? []);
  for (const port of ports) {
    const same = before.find((it) => it.port === port.port && protocolOf(it) === protocolOf(port));
    port.nodePort ||= same?.nodePort;
  }
  for (const [index, port] of ports.entries()) {
    if (port.nodePort === undefined || port.nodePort === 0) continue;
    const field = `spec.ports[${index}].nodePort`;
    if (port.nodePort < FIRST_NODE_PORT || port.nodePort > LAST_NODE_PORT) {
      const why = `provided port is not in the valid range. The range of valid ports is ${FIRST_NODE_PORT}-${LAST_NODE_PORT}`;
      throw refuse(object, field, `Invalid value: ${port.nodePort}: ${why}`);
    }
    if (!reserve(nodePortClaim(port))) {
      const why = "provided port is already allocated";
      throw refuse(object, field, `Invalid value: ${port.nodePort}: ${why}`);
    }
  }
  for (const port of ports) {
    if (port.nodePort === undefined || port.nodePort === 0) drawNodePort(port, reserve);
  }
}

function drawNodePort(port: ServicePort, reserve: Reserve): void {
  const size = LAST_NODE_PORT - FIRST_NODE_PORT + 1;
  const start = randomInt(size);
  for (let i = 0; i < size; i++) {
    port.nodePort = FIRST_NODE_PORT + ((start + i) % size);
    if (reserve(nodePortClaim(port))) return;
  }
  throw statusError("InternalError", "failed to allocate a nodePort: range is full");
}

function claimsOfStored(stored: StoredValue): string[] {
  return claimsOf(JSON.parse(stored.value) as KubeObject);
}

function claimsOf(service: Readonly<KubeObject>): string[] {
  const { clusterIP = "", ports = [] } = specOf(service);
  const held = ports.filter((port) => (port.nodePort ?? 0) > 0);
  const address = clusterIP === "" || clusterIP === "None" ? [] : [`ip ${clusterIP}`];
  return [...address, ...held.map(nodePortClaim)];
}

function nodePortClaim(port: ServicePort): string {
  return `port ${protocolOf(port)} ${port.nodePort}`;
}

function protocolOf(port: ServicePort): string {
  return port.protocol ?? "TCP";
}

function specOf(service: Readonly<KubeObject>): ServiceSpec {
  return (service as unknown as Service).spec ?? {};
}

function refuse(object: KubeObject, field: string, message: string): Error {
  const problem = { field, reason: "FieldValueInvalid", message } as const;
  return invalid(SERVICE_KIND, object.metadata.name ?? "", [problem]);
}
