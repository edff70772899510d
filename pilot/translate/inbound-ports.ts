/** The ports that a workload serves: those its services lead to, or those its Sidecar declares. */

import { isIPv6 } from "node:net";
import type { IstioIngressListener } from "#crds/types/networking-v1.ts";
import type { Origin } from "#pilot/ir/origin.ts";
import { type Protocol, parseProtocol } from "#pilot/model/protocol.ts";
import type { PushContext } from "#pilot/model/push-context.ts";
import type { ServiceTarget, WorkloadScope } from "#pilot/model/scope.ts";
import { sidecarOf } from "#pilot/model/visible.ts";
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
      .map((listener, at) => declaredPort(listener, at, scope, report))
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
    });
  }
  return [...byNumber.values()].toSorted((left, right) => left.number - right.number);
}

function declaredPort(
  listener: IstioIngressListener,
  at: number,
  scope: WorkloadScope,
  report: Reporter,
): InboundPort | undefined {
  const path = `spec.ingress[${at}]`;
  for (const field of ["tls", "connectionPool"] as const) {
    if (listener[field] !== undefined) {
      warn(report, `${path}.${field}`, "Unsupported", `${field} has no effect in this version`);
    }
  }
  const number = listener.port?.number;
  if (number === undefined) return undefined;
  const target = declaredTarget(listener.defaultEndpoint ?? "", scope, report, path);
  const bind = listener.bind ?? "";
  return {
    number,
    servicePort: number,
    protocol: parseProtocol(listener.port.protocol),
    bind: bind === "" ? (scope.addresses[0] ?? "0.0.0.0") : bind,
    host: "",
    origins: [originOf(report.object, path)],
    target: target ?? { kind: "original", sourceAddress: SOURCE_ADDRESS },
  };
}

/** `127.0.0.1:p`, `[::1]:p`, or `0.0.0.0:p` for the instance's own address. */
function declaredTarget(
  text: string,
  scope: WorkloadScope,
  report: Reporter,
  path: string,
): InboundTarget | undefined {
  if (text === "") return undefined;
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
