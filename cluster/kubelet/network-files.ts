/** /etc/hosts, /etc/hostname and /etc/resolv.conf of a pod. */

import type { Pod } from "#cluster/api/generated/core-v1.ts";
import type { ClusterNetwork } from "#cluster/api/process-config.ts";

const MAX_NAMESERVERS = 3;
const MAX_SEARCHES = 32;

/** The name that the pod's processes see as their host's. */
export function podHostname(pod: Pod, nodeName: string): string {
  if (pod.spec?.hostNetwork === true) return nodeName;
  return (pod.spec?.hostname ?? pod.metadata.name).slice(0, 63).replace(/[-.]+$/, "");
}

/** The hosts file that the kubelet manages; hostAliases come last. */
export function hostsFile(pod: Pod, address: string, clusterDomain: string): string {
  const { subdomain, hostAliases = [] } = pod.spec ?? {};
  const hostname = podHostname(pod, "");
  const namespace = pod.metadata.namespace ?? "default";
  const own =
    subdomain === undefined || subdomain === ""
      ? [hostname]
      : [`${hostname}.${subdomain}.${namespace}.svc.${clusterDomain}`, hostname];
  const lines = [
    "# Kubernetes-managed hosts file.",
    "127.0.0.1\tlocalhost",
    "::1\tlocalhost ip6-localhost ip6-loopback",
    `${address}\t${own.join("\t")}`,
  ];
  if (hostAliases.length > 0) lines.push("", "# Entries added by HostAliases.");
  for (const { ip, hostnames = [] } of hostAliases) lines.push(`${ip}\t${hostnames.join("\t")}`);
  return `${lines.join("\n")}\n`;
}

/** resolv.conf by dnsPolicy and dnsConfig; `hostResolvConf` is the node's own. */
export function resolvConf(pod: Pod, network: ClusterNetwork, hostResolvConf: string): string {
  const { dnsPolicy = "ClusterFirst", dnsConfig = {}, hostNetwork } = pod.spec ?? {};
  const usesCluster =
    dnsPolicy === "ClusterFirstWithHostNet" ||
    (dnsPolicy === "ClusterFirst" && hostNetwork !== true);
  const host = parseResolvConf(hostResolvConf);
  const namespace = pod.metadata.namespace ?? "default";
  const domain = network.clusterDomain;
  const base = usesCluster
    ? {
        nameservers: [network.dnsAddress],
        searches: [`${namespace}.svc.${domain}`, `svc.${domain}`, domain, ...host.searches],
        options: ["ndots:5"],
      }
    : dnsPolicy === "None"
      ? { nameservers: [], searches: [], options: [] }
      : host;
  const nameservers = unique([...base.nameservers, ...(dnsConfig.nameservers ?? [])]);
  const searches = unique([...base.searches, ...(dnsConfig.searches ?? [])]);
  const options = mergeOptions(base.options, dnsConfig.options ?? []);
  const lines = [
    ...(searches.length === 0 ? [] : [`search ${searches.slice(0, MAX_SEARCHES).join(" ")}`]),
    ...nameservers.slice(0, MAX_NAMESERVERS).map((address) => `nameserver ${address}`),
    ...(options.length === 0 ? [] : [`options ${options.join(" ")}`]),
  ];
  return `${lines.join("\n")}\n`;
}

function parseResolvConf(text: string): {
  nameservers: string[];
  searches: string[];
  options: string[];
} {
  const result = { nameservers: [] as string[], searches: [] as string[], options: [] as string[] };
  for (const line of text.split("\n")) {
    const [key, ...values] = line.trim().split(/\s+/);
    if (key === "nameserver" && values[0] !== undefined) result.nameservers.push(values[0]);
    if (key === "search" || key === "domain") result.searches = values;
    if (key === "options") result.options.push(...values);
  }
  return result;
}

/** An option of dnsConfig wins over one of the same name. */
function mergeOptions(
  base: readonly string[],
  added: readonly { name?: string; value?: string }[],
): string[] {
  const options = new Map(base.map((option) => [option.split(":")[0] ?? "", option]));
  for (const { name = "", value } of added) {
    options.set(name, value === undefined || value === "" ? name : `${name}:${value}`);
  }
  return [...options.values()];
}

function unique(values: readonly string[]): string[] {
  return [...new Set(values)];
}
