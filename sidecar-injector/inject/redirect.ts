/**
 * The nftables ruleset that sends a pod's connections through Envoy, as the text that `nft` gets
 * from `istio-init`. Follows the order of Istio's iptables chains; one transaction, repeatable.
 */

import { PORTS, PROXY_UID } from "./config.ts";
import type { CidrSet, PortSet } from "./annotation-reader.ts";
import type { RedirectSettings } from "./settings.ts";

/** Source of connections from Envoy to the app: they must not come back to Envoy. */
const PASSTHROUGH_SOURCE = "127.0.0.6";

/** The table `inet lateen`; replaces the one that an earlier run may have left. */
export function redirectRuleset(settings: RedirectSettings): string {
  return [
    "add table inet lateen",
    "delete table inet lateen",
    "table inet lateen {",
    "chain out {",
    "type nat hook output priority -100; policy accept;",
    ...outboundRules(settings),
    "}",
    "chain in {",
    "type nat hook prerouting priority dstnat; policy accept;",
    ...inboundRules(settings),
    "}",
    "}",
    "",
  ].join("\n");
}

function outboundRules(settings: RedirectSettings): string[] {
  const to = `redirect to :${PORTS.outbound}`;
  const uid = settings.proxyUid;
  return [
    "meta l4proto != tcp accept",
    ...interfaceRules("oifname", settings.excludeInterfaces),
    `ip saddr ${PASSTHROUGH_SOURCE} oifname "lo" accept`,
    // The app called its own service: Envoy dials the pod's address, which must enter as inbound.
    `oifname "lo" ip daddr != 127.0.0.1 meta skuid ${uid} tcp dport != ${PORTS.tunnel} ` +
      `redirect to :${PORTS.inbound}`,
    `meta skuid ${uid} accept`,
    `meta skgid ${PROXY_UID} accept`,
    "ip daddr 127.0.0.0/8 accept",
    `oifname "lo" accept`,
    ...portRule(settings.excludeOutboundPorts, "accept"),
    ...cidrRule(settings.excludeOutboundCidrs, "accept"),
    ...portRule(settings.includeOutboundPorts, to),
    ...cidrRule(settings.includeOutboundCidrs, to),
  ];
}

function inboundRules(settings: RedirectSettings): string[] {
  const to = `redirect to :${PORTS.inbound}`;
  const includes = settings.includeInboundPorts;
  // Istio: exclusions only mean something where everything is included.
  const excludes = includes === "all" ? settings.excludeInboundPorts : [];
  return [
    "meta l4proto != tcp accept",
    ...interfaceRules("iifname", settings.excludeInterfaces),
    ...settings.virtualInterfaces.flatMap((name) => virtualInterfaceRules(name, settings)),
    `tcp dport ${PORTS.tunnel} accept`,
    ...portRule(excludes, "accept"),
    ...portRule(includes, `fib daddr type local meta l4proto tcp ${to}`),
  ];
}

function interfaceRules(which: "iifname" | "oifname", names: readonly string[]): string[] {
  return names.map((name) => `${which} "${name}" accept`);
}

/** What a virtual machine in the pod sends arrives here, and is the pod's outgoing traffic. */
function virtualInterfaceRules(name: string, settings: RedirectSettings): string[] {
  const to = `redirect to :${PORTS.outbound}`;
  const rules = [
    ...cidrRule(settings.excludeOutboundCidrs, "accept"),
    ...cidrRule(settings.includeOutboundCidrs, to),
    "accept",
  ];
  return rules.map((rule) => `iifname "${name}" ${rule}`);
}

function portRule(ports: PortSet, verdict: string): string[] {
  if (ports === "all") return [verdictForAll(verdict)];
  if (ports.length === 0) return [];
  const unique = [...new Set(ports)].toSorted((a, b) => a - b);
  return [`tcp dport { ${unique.join(", ")} } ${verdict}`];
}

function cidrRule(cidrs: CidrSet, verdict: string): string[] {
  if (cidrs === "all") return [verdictForAll(verdict)];
  // A rule each: intervals of one set may not overlap.
  return [...new Set(cidrs)].map((cidr) => {
    const family = cidr.includes(":") ? "ip6" : "ip";
    return `${family} daddr ${cidr} ${verdictForAll(verdict)}`;
  });
}

/** nft maps a port only after it knows that the protocol has ports. */
function verdictForAll(verdict: string): string {
  return verdict.startsWith("redirect") ? `meta l4proto tcp ${verdict}` : verdict;
}
