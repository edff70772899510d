/**
 * Which ports a gateway workload listens on, after merging the servers of all its Gateway objects.
 */

import type { Server } from "#crds/types/networking-v1.ts";
import type { IrProblem } from "#pilot/ir/scope-ir.ts";
import { overlaps } from "#pilot/model/host.ts";
import { hostname } from "#pilot/model/name.ts";
import type { Gateway } from "#pilot/model/object.ts";
import { isHttp, parseProtocol } from "#pilot/model/protocol.ts";
import { type PushContext, objectOf } from "#pilot/model/push-context.ts";
import type { WorkloadScope } from "#pilot/model/scope.ts";

/** What happens to connections of a server. */
export type ServerKind = "http" | "https" | "tls" | "tcp";

/** One name that a server serves, and the namespaces whose rules may attach to it. */
export interface ServerHost {
  readonly host: string;
  /** `*` any. */
  readonly namespace: string;
}

export interface PlannedServer {
  readonly gateway: Gateway;
  readonly server: Server;
  readonly kind: ServerKind;
  readonly hosts: readonly ServerHost[];
  /** `spec.servers[0]`. */
  readonly path: string;
}

export interface PlannedListener {
  readonly address: string;
  /** Where the workload listens, which may differ from the servers' port. */
  readonly port: number;
  /** As written, or empty. */
  readonly bind: string;
  readonly servers: readonly PlannedServer[];
}

export interface GatewayPlan {
  readonly listeners: readonly PlannedListener[];
  readonly problems: readonly IrProblem[];
}

const NO_TRANSLATION = "experimental.istio.io/disable-gateway-port-translation";
const MAX_LISTENERS = 512;

/** Gateways oldest first: where two cannot share a port or a name, the first has it. */
export function gatewayPlan(context: PushContext, scope: WorkloadScope): GatewayPlan {
  const problems: IrProblem[] = [];
  const listeners = new Map<string, { plan: PlannedListener; servers: PlannedServer[] }>();
  for (const key of scope.gateways) {
    const gateway = objectOf(context, key);
    if (gateway?.kind !== "Gateway") continue;
    for (const [at, server] of (gateway.spec.servers ?? []).entries()) {
      const planned = planServer(gateway, server, `spec.servers[${at}]`);
      for (const port of listenPorts(context, scope, server.port?.number ?? 0)) {
        const bind = server.bind ?? "";
        const address = bind === "" ? "0.0.0.0" : bind;
        const name = `${address}_${port}`;
        const found = listeners.get(name) ?? newListener({ address, port, bind });
        if (listeners.size >= MAX_LISTENERS && !listeners.has(name)) continue;
        listeners.set(name, found);
        const accepted = accept(found.servers, planned, port, problems);
        if (accepted !== undefined) found.servers.push(accepted);
      }
    }
  }
  return {
    listeners: [...listeners.values()]
      .filter(({ servers }) => servers.length > 0)
      .map(({ plan, servers }) => ({ ...plan, servers })),
    problems,
  };
}

function newListener(at: Omit<PlannedListener, "servers">): {
  plan: PlannedListener;
  servers: PlannedServer[];
} {
  return { plan: { ...at, servers: [] }, servers: [] };
}

/** A port is that of the gateway's Service; the workload listens on the Service's target port. */
function listenPorts(context: PushContext, scope: WorkloadScope, number: number): number[] {
  const targets = scope.targets
    .filter((target) => target.port.number === number)
    .filter((target) => {
      const service = objectOf(context, target.service);
      return service?.kind === "Service" && !Object.hasOwn(service.labels, NO_TRANSLATION);
    })
    .map((target) => target.targetPort);
  return targets.length === 0 ? [number] : [...new Set(targets)];
}

function planServer(gateway: Gateway, server: Server, path: string): PlannedServer {
  return {
    gateway,
    server,
    kind: kindOf(server),
    hosts: (server.hosts ?? []).map((text) => parseServerHost(text, gateway.namespace)),
    path,
  };
}

function kindOf(server: Server): ServerKind {
  const protocol = parseProtocol(server.port?.protocol);
  const passes = server.tls?.mode === "PASSTHROUGH" || server.tls?.mode === "AUTO_PASSTHROUGH";
  if (isHttp(protocol)) return "http";
  if (protocol === "HTTPS") return passes ? "tls" : "https";
  // Any other protocol inside of TLS, where a server has settings for it.
  return protocol === "TLS" || server.tls?.mode !== undefined ? "tls" : "tcp";
}

/** `ns/host`, `./host` (the Gateway's namespace), `*` / any namespace, or a bare host. */
function parseServerHost(text: string, gatewayNamespace: string): ServerHost {
  const slash = text.indexOf("/");
  if (slash < 0) return { host: hostname(text), namespace: "*" };
  const namespace = text.slice(0, slash);
  return {
    host: hostname(text.slice(slash + 1)),
    namespace: namespace === "." ? gatewayNamespace : namespace,
  };
}

/** The server as it may be added to a listener; without the names that others have already. */
function accept(
  servers: readonly PlannedServer[],
  planned: PlannedServer,
  port: number,
  problems: IrProblem[],
): PlannedServer | undefined {
  const refuse = (reason: string, message: string): void => {
    const { gateway } = planned;
    const path = gateway.sourcePaths?.[`${planned.path}.tls`] ?? planned.path;
    problems.push({ object: gateway.key, path, severity: "error", reason, message });
  };
  const first = servers[0];
  if (first !== undefined && !canShare(first.kind, planned.kind)) {
    const message = `port ${port} is already a port of ${first.kind} for ${first.gateway.key}`;
    refuse("ProtocolConflict", message);
    return undefined;
  }
  if (planned.kind === "tcp" && first !== undefined) {
    refuse("PortTaken", `port ${port} already belongs to ${first.gateway.key}`);
    return undefined;
  }
  if (planned.kind === "http") return planned;
  const isTaken = (host: ServerHost): boolean =>
    servers.some((one) => one.hosts.some((other) => other.host === host.host));
  const free = planned.hosts.filter((host) => !isTaken(host));
  if (free.length < planned.hosts.length && planned.kind !== "tcp") {
    const names = planned.hosts.filter(isTaken).map((host) => host.host);
    refuse("HostTaken", `port ${port} already serves ${names.join(", ")}`);
  }
  return free.length === 0 && planned.hosts.length > 0 ? undefined : { ...planned, hosts: free };
}

function canShare(left: ServerKind, right: ServerKind): boolean {
  const isTls = (kind: ServerKind): boolean => kind === "https" || kind === "tls";
  return left === right || (isTls(left) && isTls(right));
}

/** Names of a rule that a server lets in: of two that overlap, the narrower. */
export function sharedHosts(
  hosts: readonly ServerHost[],
  ruleHosts: readonly string[],
  ruleNamespace: string,
): string[] {
  const shared = hosts
    .filter((host) => host.namespace === "*" || host.namespace === ruleNamespace)
    .flatMap((host) =>
      ruleHosts
        .filter((name) => overlaps(host.host, name))
        .map((name) => (narrowerThan(name, host.host) ? name : host.host)),
    );
  return [...new Set(shared)];
}

function narrowerThan(left: string, right: string): boolean {
  const wild = (name: string): boolean => name.startsWith("*");
  if (wild(left) !== wild(right)) return !wild(left);
  return left.length >= right.length;
}
