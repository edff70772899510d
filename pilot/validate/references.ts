/** What an object names and the world doesn't have: a few look-ups, no translation. */

import type { IrProblem } from "#pilot/ir/scope-ir.ts";
import { objectKey, resolveHost } from "#pilot/model/name.ts";
import { type ModelObject, type VirtualService } from "#pilot/model/object.ts";
import { lookup } from "#pilot/model/object-index.ts";
import {
  type PushContext,
  allServices,
  gatewaysOf,
  hostsOf,
  objectOf,
} from "#pilot/model/push-context.ts";

/** Warnings only: what is missing may come. Cheap enough to be asked at every look. */
export function referenceProblems(context: PushContext, object: ModelObject): IrProblem[] {
  const problems: IrProblem[] = [];
  const warn = (path: string, reason: string, message: string): void => {
    problems.push({ object: object.key, path, severity: "warning", reason, message });
  };
  if (object.kind === "VirtualService") {
    checkGateways(context, object, warn);
    checkDestinations(context, object, warn);
  } else if (object.kind === "DestinationRule") {
    const [host] = hostsOf(object, context.mesh.clusterDomain);
    if (host !== undefined && !isKnown(context, host)) {
      const message = `no service ${host} is known: nothing comes of this rule yet`;
      warn("spec.host", "UnknownHost", message);
    }
  }
  return problems;
}

type Warn = (path: string, reason: string, message: string) => void;

function checkGateways(context: PushContext, object: VirtualService, warn: Warn): void {
  const given = object.spec.gateways ?? [];
  for (const [index, text] of given.entries()) {
    const [name = ""] = gatewaysOf(object, [text]);
    if (name === "mesh") continue;
    const [namespace = "", gateway = ""] = name.split("/");
    if (objectOf(context, objectKey("Gateway", namespace, gateway)) !== undefined) continue;
    warn(`spec.gateways[${index}]`, "UnknownGateway", `there is no Gateway ${name}`);
  }
}

function checkDestinations(context: PushContext, object: VirtualService, warn: Warn): void {
  const { clusterDomain } = context.mesh;
  for (const list of ["http", "tls", "tcp"] as const) {
    for (const [at, rule] of (object.spec[list] ?? []).entries()) {
      for (const [to, { destination }] of (rule.route ?? []).entries()) {
        const path = `spec.${list}[${at}].route[${to}].destination`;
        const host = resolveHost(destination?.host ?? "", object.namespace, clusterDomain);
        const what = list === "http" ? "answered 503" : "connections are closed";
        if (!isKnown(context, host)) {
          warn(`${path}.host`, "UnknownHost", `no service ${host} is known: ${what}`);
        } else if (!hasSubset(context, host, destination?.subset ?? "")) {
          const message = `no DestinationRule of ${host} has a subset ${destination?.subset}`;
          warn(`${path}.subset`, "UnknownSubset", `${message}: ${what}`);
        }
      }
    }
  }
}

function hasSubset(context: PushContext, host: string, subset: string): boolean {
  if (subset === "") return true;
  return lookup(context.indexes.destinationRulesByHost, host).some((rule) =>
    (rule.spec.subsets ?? []).some(({ name }) => name === subset),
  );
}

/** A wildcard is known if anything below it is. */
function isKnown(context: PushContext, host: string): boolean {
  if (lookup(context.indexes.servicesByHost, host).length > 0) return true;
  if (!host.startsWith("*")) {
    return host
      .split(".")
      .some(
        (_, index, parts) =>
          lookup(context.indexes.servicesByHost, `*.${parts.slice(index + 1).join(".")}`).length >
          0,
      );
  }
  const end = host.slice(1);
  return allServices(context).some((service) => service.host.endsWith(end));
}
