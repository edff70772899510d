/** The ports that a workload serves: those its services lead to, or those its Sidecar declares. */

import { isIPv6 } from "node:net";
import type { ConnectionPoolSettings, IstioIngressListener } from "#crds/types/networking-v1.ts";
import type { Origin } from "#pilot/ir/origin.ts";
import type { ServerTls } from "#pilot/ir/tls.ts";
import type { Sidecar } from "#pilot/model/object.ts";
import { type Protocol, parseProtocol } from "#pilot/model/protocol.ts";
import type { MeshConfig } from "#pilot/model/mesh-config.ts";
import type { PushContext } from "#pilot/model/push-context.ts";
import { type ServiceTarget, type WorkloadScope, meshOf } from "#pilot/model/scope.ts";
import { sidecarOf } from "#pilot/model/visible.ts";
import { ingressTls } from "./gateway-tls.ts";
import { type Reporter, originOf, warn } from "./result.ts";

/** Connections to the application come from here, so that they aren't redirected again. */
export const SOURCE_ADDRESS = "127.0.0.6";

/** One port that the workload serves. */
export interface InboundPort {
  /** Where it is called. */
  readonly number: number;
  /** Of the service that leads to it; its own number where a Sidecar declares it. */
  readonly servicePort: number;
  readonly protocol: Protocol;
  /** What chains are named by: `address_port`. */
  readonly bind: string;
  readonly host: string;
  readonly origins: readonly Origin[];
  readonly target: InboundTarget;
  readonly service?: ServiceTarget;
  /** What the Sidecar says of connections to the application, and where. */
  readonly pool?: { readonly spec: ConnectionPoolSettings; readonly path: string };
  /** TLS of the Sidecar's own, instead of the mesh's. */
  readonly tls?: ServerTls;
  /** A listener of its own that connections come to by themselves, at this address. */
  readonly listensAt?: string;
}

/** Where the application listens: where the connection was going, or a written address. */
export type InboundTarget =
  | { readonly kind: "original"; readonly sourceAddress?: string }
  | {
      readonly kind: "address";
      readonly address: string;
      readonly port: number;
      readonly sourceAddress?: string;
    };

/** A Sidecar's ingress replaces what services say; one chain set a port, the first service's. */
export function inboundPorts(
  context: PushContext,
  scope: WorkloadScope,
  report: Reporter,
): readonly InboundPort[] {
  const sidecar = sidecarOf(context, scope);
  const ingress = sidecar?.spec.ingress ?? [];
  if (sidecar !== undefined && ingress.length > 0) {
    return ingress
      .map((listener, at) => declaredPort(listener, at, { context, scope, sidecar }, report))
      .filter((port) => port !== undefined)
      .toSorted((left, right) => left.number - right.number);
  }
  const byNumber = new Map<number, InboundPort>();
  for (const target of scope.targets) {
    if (byNumber.has(target.targetPort)) continue;
    byNumber.set(target.targetPort, {
      number: target.targetPort,
      servicePort: target.port.number,
      protocol: target.port.protocol,
      bind: "0.0.0.0",
      host: target.host,
      origins: [originOf(target.source)],
      target:
        context.mesh.inboundTrafficPolicy === "LOCALHOST"
          ? { kind: "address", address: "127.0.0.1", port: target.targetPort }
          : { kind: "original", sourceAddress: SOURCE_ADDRESS },
      service: target,
      ...poolOf(sidecar),
    });
  }
  return [...byNumber.values()].toSorted((left, right) => left.number - right.number);
}

function declaredPort(
  listener: IstioIngressListener,
  at: number,
  {
    context,
    scope,
    sidecar,
  }: {
    readonly context: PushContext;
    readonly scope: WorkloadScope;
    readonly sidecar: Sidecar;
  },
  report: Reporter,
): InboundPort | undefined {
  const path = `spec.ingress[${at}]`;
  const number = listener.port?.number;
  if (number === undefined) return undefined;
  const target = declaredTarget(listener.defaultEndpoint ?? "", scope, report, path);
  const written = listener.bind ?? "";
  const bind = written === "" ? (scope.addresses[0] ?? "0.0.0.0") : written;
  const tls = declaredTls(listener, path, meshOf(context, scope), report);
  const protocol = parseProtocol(listener.port.protocol);
  return {
    number,
    servicePort: number,
    protocol: tls === undefined ? protocol : (INSIDE_TLS.get(protocol) ?? protocol),
    bind,
    ...poolOf(sidecar, listener, path),
    ...(tls === undefined ? {} : { tls }),
    ...(listener.captureMode === "NONE" ? { listensAt: bind } : {}),
    host: "",
    origins: [originOf(report.object, path)],
    target: target ?? { kind: "original", sourceAddress: SOURCE_ADDRESS },
  };
}

/** What is left of a protocol when TLS has been ended. */
const INSIDE_TLS: ReadonlyMap<Protocol, Protocol> = new Map([
  ["HTTPS", "HTTP"],
  ["TLS", "TCP"],
]);

/** A port that the mesh's own TLS comes to can't have another: two would stand for one. */
function declaredTls(
  { tls: spec }: IstioIngressListener,
  path: string,
  mesh: MeshConfig,
  report: Reporter,
): ServerTls | undefined {
  if (spec === undefined) return undefined;
  if (mesh.peerTls !== "DISABLE") {
    const message = "counts only where mutual TLS of the mesh is off: the mesh's TLS is ended";
    warn(report, `${path}.tls`, "MeshTlsInstead", message);
    return undefined;
  }
  const made = ingressTls(spec, { object: report.object, path: `${path}.tls` }, mesh);
  report.problems.push(...made.problems);
  return made.value;
}

/** The listener's word on connections to the application, else the Sidecar's for all. */
function poolOf(
  sidecar: Sidecar | undefined,
  listener?: IstioIngressListener,
  path = "",
): Pick<InboundPort, "pool"> {
  const own = listener?.connectionPool;
  if (own !== undefined) return { pool: { spec: own, path: `${path}.connectionPool` } };
  const all = sidecar?.spec.inboundConnectionPool;
  return all === undefined ? {} : { pool: { spec: all, path: "spec.inboundConnectionPool" } };
}

/** `unix://PATH`, `127.0.0.1:p`, `[::1]:p`, or `0.0.0.0:p` for the instance's own address. */
function declaredTarget(
  text: string,
  scope: WorkloadScope,
  report: Reporter,
  path: string,
): InboundTarget | undefined {
  if (text === "") return undefined;
  if (text.startsWith("unix://")) return { kind: "address", address: text, port: 0 };
  const split = /^(.*):(\d{1,5})$/.exec(text);
  const host = split?.[1]?.replace(/^\[|\]$/g, "");
  if (split === null || host === undefined) {
    const message = `${text} is not ADDRESS:PORT: the port that is called is used`;
    warn(report, `${path}.defaultEndpoint`, "Unsupported", message);
    return undefined;
  }
  const port = Number(split[2]);
  if (host !== "0.0.0.0" && host !== "::") return { kind: "address", address: host, port };
  const own = scope.addresses.find((address) => isIPv6(address) === (host === "::"));
  if (own === undefined) return undefined;
  return { kind: "address", address: own, port, sourceAddress: SOURCE_ADDRESS };
}
