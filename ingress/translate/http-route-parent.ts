/** What a `parentRef` names: hosts of the mesh, or a reason why nothing is attached. */

import type { HTTPRouteStatus, ParentReference } from "#crds/types/networking-v1.ts";
import { serviceHost } from "#pilot/model/name.ts";

/** What the translation reads of the world. Who asks is told again when the answer changes. */
export interface RouteLookup {
  readonly clusterDomain: string;
  /** Of a Kubernetes Service. */
  servicePorts(namespace: string, name: string): readonly RoutePort[] | undefined;
  serviceEntry(namespace: string, name: string): RouteEntry | undefined;
  /** Whether any Service or ServiceEntry has exactly this host. */
  isHost(host: string): boolean;
}

export interface RoutePort {
  readonly name: string;
  readonly number: number;
}

/** What routes read of a ServiceEntry. */
export interface RouteEntry {
  readonly hosts: readonly string[];
  readonly ports: readonly RoutePort[];
}

/** Why a condition isn't True. */
export interface Verdict {
  readonly reason: string;
  readonly message: string;
}

export type Parent =
  | { readonly kind: "hosts"; readonly hosts: readonly string[]; readonly port?: number }
  /** `reason` is that of the condition, `problem` that of the problem. */
  | {
      readonly kind: "denied";
      readonly reason: string;
      readonly problem: string;
      readonly message: string;
      readonly isOfMesh: boolean;
    }
  /** Of a kind that isn't the mesh's: another controller's. */
  | { readonly kind: "foreign" };

export const GATEWAY_GROUP = "gateway.networking.k8s.io";
/** Istio's: tools look for it, and pilot stands in istiod's place. */
export const CONTROLLER = "istio.io/gateway-controller";

export function parentOf(
  ref: ParentReference,
  routeNamespace: string,
  lookup: RouteLookup,
): Parent {
  const { group = GATEWAY_GROUP, kind = "Gateway", name, namespace = routeNamespace } = ref;
  switch (`${group}/${kind}`) {
    case "/Service":
    case "core/Service": {
      const ports = lookup.servicePorts(namespace, name);
      const hosts = [serviceHost(name, namespace, lookup.clusterDomain)];
      if (ports === undefined) return noParent(`there is no Service ${namespace}/${name}`);
      return attached(ref, hosts, ports);
    }
    case "networking.istio.io/ServiceEntry": {
      const entry = lookup.serviceEntry(namespace, name);
      if (entry === undefined) return noParent(`there is no ServiceEntry ${namespace}/${name}`);
      return attached(ref, entry.hosts, entry.ports);
    }
    case `${GATEWAY_GROUP}/Gateway`:
    case `${GATEWAY_GROUP}/ListenerSet`:
      return {
        kind: "denied",
        reason: "UnsupportedValue",
        problem: "NotServedYet",
        isOfMesh: false,
        message: `a ${kind} of the Gateway API is not served yet: attach the route to a Service`,
      };
    default:
      return { kind: "foreign" };
  }
}

/** All ports, the one by its number, or the one by its name. */
function attached(
  { port, sectionName }: ParentReference,
  hosts: readonly string[],
  ports: readonly RoutePort[],
): Parent {
  if (port === undefined && sectionName === undefined) return { kind: "hosts", hosts };
  const found = ports.find(
    (one) =>
      (port === undefined || one.number === port) &&
      (sectionName === undefined || one.name === sectionName),
  );
  if (found !== undefined) return { kind: "hosts", hosts, port: found.number };
  const known = ports.map((one) => `${one.number} (${one.name})`).join(", ");
  return noParent(`it has no port ${sectionName ?? port}; it has ${known || "none"}`);
}

function noParent(message: string): Parent {
  return {
    kind: "denied",
    reason: "NoMatchingParent",
    problem: "UnknownParent",
    message,
    isOfMesh: true,
  };
}

/** Whether another controller has said what it makes of this parent. */
export function hasOtherController(
  { status }: { readonly status?: Partial<HTTPRouteStatus> },
  ref: ParentReference,
): boolean {
  return (status?.parents ?? []).some(
    ({ controllerName, parentRef }) =>
      controllerName !== CONTROLLER && nameOf(parentRef) === nameOf(ref),
  );
}

/** The same for references that mean the same; a namespace that isn't said is the route's. */
export function nameOf(ref: ParentReference): string {
  const { group = GATEWAY_GROUP, kind = "Gateway", name, namespace, port, sectionName } = ref;
  return JSON.stringify([group, kind, namespace ?? "", name, sectionName ?? "", port ?? 0]);
}
