/** What a Sidecar lets its proxies see: `egress[].hosts`, as `namespace/host`. */

import { cached } from "./cached.ts";
import { covers, overlaps } from "./host.ts";
import type { Sidecar } from "./object.ts";

export interface EgressHost {
  /** A namespace, or `*` for all. */
  readonly namespace: string;
  readonly host: string;
}

export interface EgressListener {
  readonly index: number;
  readonly hosts: readonly EgressHost[];
  /** Absent: for every port of the services. */
  readonly port?: { readonly number: number; readonly protocol: string; readonly name: string };
  readonly bind: string;
  readonly capture: "DEFAULT" | "IPTABLES" | "NONE";
}

/** Egress listeners of a Sidecar for proxies of a namespace; without any, everything is seen. */
export const egressListeners = cached(buildEgressListeners);

function buildEgressListeners(sidecar: Sidecar, namespace: string): readonly EgressListener[] {
  const egress = sidecar.spec.egress ?? [];
  if (egress.length === 0) {
    return [{ index: 0, hosts: [{ namespace: "*", host: "*" }], bind: "", capture: "DEFAULT" }];
  }
  return egress.map((listener, index) => ({
    index,
    hosts: (listener.hosts ?? []).flatMap((text) => parseEgressHost(text, namespace)),
    ...(listener.port === undefined
      ? {}
      : {
          port: {
            number: listener.port.number,
            protocol: listener.port.protocol ?? "",
            name: listener.port.name ?? "",
          },
        }),
    bind: listener.bind ?? "",
    capture: listener.captureMode ?? "DEFAULT",
  }));
}

/** `.` is this namespace, `*` all, `~` none; a host without a namespace means all. */
function parseEgressHost(text: string, namespace: string): EgressHost[] {
  const slash = text.indexOf("/");
  const where = slash < 0 ? "*" : text.slice(0, slash);
  const host = text.slice(slash + 1).toLowerCase();
  if (where === "~" || host === "") return [];
  return [{ namespace: where === "." ? namespace : where, host }];
}

export function importsService(
  hosts: readonly EgressHost[],
  service: { readonly namespace: string; readonly host: string },
): boolean {
  return hosts.some(
    (entry) =>
      (entry.namespace === "*" || entry.namespace === service.namespace) &&
      covers(entry.host, service.host),
  );
}

/** Whether rules that a namespace has attached to services are about one of the imported hosts. */
export function importsAttached(
  hosts: readonly EgressHost[],
  namespace: string,
  ruleHosts: readonly string[],
): boolean {
  return ruleHosts.some((host) => importsService(hosts, { namespace, host }));
}

/** Whether a VirtualService of a namespace is about one of the imported hosts. */
export function importsRule(
  hosts: readonly EgressHost[],
  namespace: string,
  ruleHosts: readonly string[],
): boolean {
  return hosts.some(
    (entry) =>
      (entry.namespace === "*" || entry.namespace === namespace) &&
      ruleHosts.some((host) => overlaps(entry.host, host)),
  );
}
