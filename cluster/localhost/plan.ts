/** Which localhost port leads to which port of a LoadBalancer Service; pure. */

import type { Service, ServicePort } from "#cluster/api/generated/core-v1.ts";

/** Where a Service's ports are remembered: a JSON object of port name → localhost port. */
export const PORTS_ANNOTATION = "lateen.dev/localhost-ports";

const WELL_KNOWN = new Map([
  [80, 8_080],
  [443, 8_443],
]);
const FIRST_UNPRIVILEGED = 1_024;
const PRIVILEGED_OFFSET = 8_000;
const LAST_PORT = 65_535;

/** A localhost port and where its connections go. */
export interface LocalhostRoute {
  /** `namespace/name`. */
  service: string;
  /** The port's name, or its number where it has none. */
  portName: string;
  /** On 127.0.0.1. */
  localPort: number;
  /** A LoadBalancer address. */
  address: string;
  port: number;
}

export interface LocalhostPlan {
  /** In the order of localhost ports. */
  routes: LocalhostRoute[];
  /** `namespace/name` → port name → localhost port, of every Service in the plan. */
  remembered: Map<string, Record<string, number>>;
}

interface Wish {
  service: string;
  portName: string;
  preferred: number;
  previous: number | undefined;
  address: string;
  port: number;
}

/**
 * A Service keeps the ports of its annotation unless they are unavailable or another, older Service
 * has them. New ones get the next free port from the preferred one upwards: 80 is 8080, 443 is 8443,
 * others are themselves, or 8000 more when they would need privileges.
 */
export function planLocalhost(
  services: readonly Service[],
  unavailable: ReadonlySet<number>,
): LocalhostPlan {
  const wishes = services.toSorted(byAge).flatMap(wishesOf);
  const taken = new Set(unavailable);
  const chosen = new Map<Wish, number>();
  for (const wish of wishes) {
    if (wish.previous === undefined || taken.has(wish.previous)) continue;
    taken.add(wish.previous);
    chosen.set(wish, wish.previous);
  }
  for (const wish of wishes) {
    if (chosen.has(wish)) continue;
    const port = nextFree(wish.preferred, taken);
    if (port === undefined) continue;
    taken.add(port);
    chosen.set(wish, port);
  }
  const remembered = new Map<string, Record<string, number>>();
  for (const [{ service, portName }, localPort] of chosen) {
    remembered.set(service, { ...remembered.get(service), [portName]: localPort });
  }
  const routes = [...chosen].map(([{ service, portName, address, port }, localPort]) => ({
    service,
    portName,
    localPort,
    address,
    port,
  }));
  return { routes: routes.toSorted((a, b) => a.localPort - b.localPort), remembered };
}

/** The ports in a Service's annotation; what isn't one is left out. */
export function localhostPorts(service: Service): Record<string, number> {
  const text = service.metadata.annotations?.[PORTS_ANNOTATION];
  if (text === undefined) return {};
  return Object.fromEntries(
    Object.entries(parseObject(text)).filter(
      (entry): entry is [string, number] => isPort(entry[1]) && entry[0] !== "__proto__",
    ),
  );
}

/** Services of type LoadBalancer that have their address; TCP only. */
function wishesOf(service: Service): Wish[] {
  const address = (service.status?.loadBalancer?.ingress ?? []).find(
    (at) => at.ip !== undefined,
  )?.ip;
  if (service.spec?.type !== "LoadBalancer" || address === undefined) return [];
  const known = new Map(Object.entries(localhostPorts(service)));
  return (service.spec.ports ?? [])
    .filter((port) => (port.protocol ?? "TCP") === "TCP")
    .map((port) => {
      const portName = nameOf(port);
      return {
        service: serviceKey(service),
        portName,
        preferred: preferredPort(port.port),
        previous: known.get(portName),
        address,
        port: port.port,
      };
    });
}

/** `namespace/name`. */
export function serviceKey(service: Service): string {
  return `${service.metadata.namespace ?? ""}/${service.metadata.name}`;
}

function nameOf(port: ServicePort): string {
  return port.name === undefined || port.name === "" ? String(port.port) : port.name;
}

function preferredPort(port: number): number {
  const wellKnown = WELL_KNOWN.get(port);
  if (wellKnown !== undefined) return wellKnown;
  return port < FIRST_UNPRIVILEGED ? port + PRIVILEGED_OFFSET : port;
}

function nextFree(from: number, taken: ReadonlySet<number>): number | undefined {
  for (let port = from; port <= LAST_PORT; port++) {
    if (!taken.has(port)) return port;
  }
  return undefined;
}

function byAge(a: Service, b: Service): number {
  const age = (service: Service) => service.metadata.creationTimestamp ?? "";
  const left = `${age(a)} ${serviceKey(a)}`;
  const right = `${age(b)} ${serviceKey(b)}`;
  return left < right ? -1 : Number(left > right);
}

/** Users can write annotations, so the text may be anything. */
function parseObject(text: string): object {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? value : {};
  } catch {
    return {};
  }
}

function isPort(value: unknown): boolean {
  return (
    Number.isInteger(value) && Number(value) >= FIRST_UNPRIVILEGED && Number(value) <= LAST_PORT
  );
}
