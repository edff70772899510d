/** The Host headers under which a service is called from a namespace. */

import { isIP, isIPv6 } from "node:net";
import type { Service } from "#pilot/model/object.ts";

/**
 * The full name with and without the final dot, the short forms that DNS search paths of the
 * caller's namespace complete, the same of its aliases, and its addresses. Services without an
 * address of their own are also called by names of single pods (`pod.service`).
 */
export function domainsOf(
  service: Service,
  aliases: readonly string[],
  caller: { readonly namespace: string; readonly clusterDomain: string },
): string[] {
  const names = [service.host, ...aliases].flatMap((host) => [
    domain(host),
    ...shortForms(host, caller.namespace, caller.clusterDomain),
  ]);
  const pods = service.headless ? names.map((name) => `*.${name}`) : [];
  const addresses = service.addresses.filter((address) => !address.includes("/")).map(domain);
  return [...new Set([...names, ...pods, ...addresses])];
}

function domain(host: string): string {
  return isIPv6(host) ? `[${host}]` : host;
}

/** With the root's dot, and as the caller's DNS search path lets it be shortened. */
function shortForms(host: string, namespace: string, clusterDomain: string): string[] {
  if (isIP(host) !== 0) return [];
  const dotted = `.svc.${clusterDomain}`;
  if (!host.endsWith(dotted)) return [`${host}.`];
  const name = host.slice(0, -dotted.length);
  const dot = name.indexOf(".");
  if (dot <= 0) return [`${host}.`];
  return name.slice(dot + 1) === namespace
    ? [`${host}.`, name.slice(0, dot), `${name}.svc`, name]
    : [`${host}.`, name, `${name}.svc`];
}
