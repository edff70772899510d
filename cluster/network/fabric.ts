/**
 * A cluster's links: the host's one veth into the fabric namespace, whose bridge joins the nodes.
 * Everything here looks at what exists and adds what is missing, so that it can be run again.
 */

import { setTimeout as delay } from "node:timers/promises";
import type { ClusterNetwork } from "#cluster/api/process-config.ts";
import { requireCidr } from "./cidr.ts";
import { applyIp, readIp, writeSysctls } from "./ip.ts";
import type { IpOptions } from "./ip.ts";
import { nodeLinkOf, nodeNamespaceOf, podNamespacePrefixOf, requireDnsName } from "./name.ts";
import { planNode } from "./plan.ts";
import type { NodePlan } from "./plan.ts";
import { deleteNamespaces, ignoreGone, listNamespaces, removeBrokenNames } from "./namespaces.ts";

const BRIDGE = "br0";
/** The fabric's end of the host's link. */
const HOST_PORT = "host";
/**
 * Reverse path checks drop translated packets of some hosts' defaults; redirects would tell the host
 * to reach a Service past the node that translates it.
 */
const OFF_IN_NODES = ["rp_filter", "send_redirects"].flatMap((key) =>
  ["all", "default", "eth0"].map((link) => `net/ipv4/conf/${link}/${key}`),
);
/** The kernel removes links of a deleted namespace in the background. */
const REMOVAL_MS = 5_000;

/** Makes the fabric's namespace with its bridge and the host's link with its address. */
export async function createFabric(network: ClusterNetwork, signal?: AbortSignal): Promise<void> {
  const { fabricNamespace: namespace, hostLink } = network;
  await removeBrokenNames(namespace);
  if (!(await listNamespaces(namespace)).includes(namespace)) {
    await applyIp([`netns add ${namespace}`], { signal });
  }
  const inside = { namespace, signal };
  const links = await listLinks(inside);
  // Half a link is left when a namespace was removed by hand: both ends are made anew.
  if (!links.has(HOST_PORT)) {
    if ((await listLinks({ signal })).has(hostLink)) {
      await applyIp([`link del ${hostLink}`], { signal });
    }
    const peer = `peer name ${HOST_PORT} netns ${namespace}`;
    await applyIp([`link add ${hostLink} type veth ${peer}`], { signal });
  }
  await applyIp(
    [
      ...(links.has(BRIDGE) ? [] : [`link add ${BRIDGE} type bridge`]),
      `link set ${BRIDGE} up`,
      `link set ${HOST_PORT} master ${BRIDGE} up`,
    ],
    inside,
  );
  const hostAddress = `${network.hostAddress}/${requireCidr(network.fabricCidr).prefixLength}`;
  await applyIp([`addr replace ${hostAddress} dev ${hostLink}`, `link set ${hostLink} up`], {
    signal,
  });
}

export interface NodeRequest {
  network: ClusterNetwork;
  nodeName: string;
  /** 1 … 244; node 1 carries the host's traffic to Services. */
  index: number;
  signal?: AbortSignal;
}

/**
 * Makes the node's namespace, its link to the bridge, and the routes: to the host, to the other
 * nodes' pods (and theirs to this one's), and on the host to this node's pods. The cluster's DNS
 * address is put on the node's `lo`, so that its DNS process can answer there without any rule.
 */
export async function createNode(
  request: NodeRequest,
): Promise<NodePlan & { namespace: string; podNamespacePrefix: string }> {
  const { network, nodeName, index, signal } = request;
  requireDnsName("node", nodeName);
  const plan = planNode(network, index);
  const namespace = nodeNamespaceOf(network, nodeName);
  await createNodeLink(request, namespace);
  await writeSysctls(namespace, OFF_IN_NODES, "0", signal);
  await writeSysctls(namespace, ["net/ipv4/ip_forward"], "1", signal);
  await applyIp(
    [
      `addr replace ${network.dnsAddress}/32 dev lo`,
      "link set lo up",
      `addr replace ${plan.nodeAddress}/${requireCidr(network.fabricCidr).prefixLength} dev eth0`,
      "link set eth0 up",
      `route replace default via ${network.hostAddress}`,
      // A pod that is gone is refused at once, not sent to the host and back.
      `route replace unreachable ${plan.podCidr}`,
    ],
    { namespace, signal },
  );
  // By this alias other calls find the node, so it comes when the node can take routes.
  const fabric = { namespace: network.fabricNamespace, signal };
  await applyIp([`link set ${nodeLinkOf(index)} alias ${nodeName}`], fabric);
  const peers = (await listNodes(network, signal)).filter((peer) => peer.index !== index);
  const peerRoutes = peers.map((peer) => podRoute(planNode(network, peer.index)));
  await applyIp(peerRoutes, { namespace, signal });
  for (const peer of peers) {
    await applyIp([podRoute(plan)], {
      namespace: nodeNamespaceOf(network, peer.nodeName),
      signal,
    });
  }
  await applyIp(
    hostRoutesOf(network, plan, index).map(
      (cidr) => `route replace ${cidr} via ${plan.nodeAddress} dev ${network.hostLink}`,
    ),
    { signal },
  );
  return { ...plan, namespace, podNamespacePrefix: podNamespacePrefixOf(network, nodeName) };
}

async function createNodeLink(request: NodeRequest, namespace: string): Promise<void> {
  const { network, nodeName, index, signal } = request;
  const fabric = { namespace: network.fabricNamespace, signal };
  const port = nodeLinkOf(index);
  const other = (await listNodes(network, signal)).find(
    (node) => node.index === index && node.nodeName !== nodeName,
  );
  if (other !== undefined) {
    throw new Error(`node index ${index} of ${nodeName} is taken by node ${other.nodeName}`);
  }
  if (!(await listNamespaces(namespace)).includes(namespace)) {
    await applyIp([`netns add ${namespace}`], { signal });
  }
  if (!(await listLinks({ namespace, signal })).has("eth0")) {
    if ((await listLinks(fabric)).has(port)) await applyIp([`link del ${port}`], fabric);
    const peer = `peer name eth0 netns ${namespace}`;
    await applyIp([`link add ${port} type veth ${peer}`], fabric);
  }
  await applyIp([`link set ${port} master ${BRIDGE} up`], fabric);
}

/** Idempotent: removes the node's pods' namespaces, its own, and every route to it. */
export async function deleteNode(request: NodeRequest): Promise<void> {
  const { network, nodeName, index, signal } = request;
  const plan = planNode(network, index);
  const namespace = nodeNamespaceOf(network, nodeName);
  await removeBrokenNames(network.fabricNamespace);
  const routes = hostRoutesOf(network, plan, index);
  const onHost = await listRoutes({ signal }, network.hostLink);
  for (const cidr of onHost.filter((route) => routes.includes(route))) {
    const line = `route del ${cidr} via ${plan.nodeAddress} dev ${network.hostLink}`;
    await applyIp([line], { signal }).catch(ignoreGone);
  }
  const namespaces = await listNamespaces(network.fabricNamespace);
  if (namespaces.includes(network.fabricNamespace)) {
    const fabric = { namespace: network.fabricNamespace, signal };
    await applyIp([`link del ${nodeLinkOf(index)}`], fabric).catch(ignoreGone);
    for (const peer of await listNodes(network, signal)) {
      const inside = { namespace: nodeNamespaceOf(network, peer.nodeName), signal };
      await applyIp([`route del ${plan.podCidr} via ${plan.nodeAddress}`], inside).catch(
        ignoreGone,
      );
    }
  }
  const own = namespaces.filter(
    (name) => name === namespace || name.startsWith(podNamespacePrefixOf(network, nodeName)),
  );
  await deleteNamespaces(own);
}

/** Idempotent: removes all of the cluster's links, routes and namespaces, and makes sure of it. */
export async function deleteFabric(network: ClusterNetwork, signal?: AbortSignal): Promise<void> {
  await removeBrokenNames(network.fabricNamespace);
  const namespaces = await listOwnNamespaces(network);
  await applyIp([`link del ${network.hostLink}`], { signal }).catch(ignoreGone);
  await deleteNamespaces(namespaces);
  const deadline = Date.now() + REMOVAL_MS;
  let left = await listLeftovers(network, signal);
  while (left.length > 0 && Date.now() < deadline) {
    await delay(20, undefined, { signal });
    left = await listLeftovers(network, signal);
  }
  if (left.length > 0) throw new Error(`could not be removed: ${left.join(", ")}`);
}

/** What of the cluster's network is still there, as lines for people; empty when it is clean. */
export async function listLeftovers(
  network: ClusterNetwork,
  signal?: AbortSignal,
): Promise<string[]> {
  // Another cluster, of another home, may have the same ranges: what is ours goes by our link.
  const routes = await listRoutes({ signal }, network.hostLink);
  const links = await listLinks({ signal });
  return [
    ...(await listOwnNamespaces(network)).map((name) => `network namespace ${name}`),
    ...(links.has(network.hostLink) ? [`link ${network.hostLink}`] : []),
    ...routes.map((route) => `route ${route}`),
  ];
}

/** The nodes whose links are on the bridge now, in the order of their indexes. */
export async function listNodes(
  network: ClusterNetwork,
  signal?: AbortSignal,
): Promise<{ nodeName: string; index: number }[]> {
  const links = await readIp(["link", "show"], { namespace: network.fabricNamespace, signal });
  return links
    .flatMap((link) => {
      const { ifname, ifalias } = link as { ifname?: unknown; ifalias?: unknown };
      const index = /^n([0-9]+)$/.exec(String(ifname))?.[1];
      if (index === undefined || typeof ifalias !== "string") return [];
      return [{ nodeName: ifalias, index: Number(index) }];
    })
    .toSorted((a, b) => a.index - b.index);
}

function podRoute(plan: NodePlan): string {
  return `route replace ${plan.podCidr} via ${plan.nodeAddress}`;
}

function hostRoutesOf(network: ClusterNetwork, plan: NodePlan, index: number): string[] {
  const services = index === 1 ? [network.serviceCidr, network.loadBalancerCidr] : [];
  return [plan.podCidr, ...services];
}

async function listOwnNamespaces(network: ClusterNetwork): Promise<string[]> {
  const { fabricNamespace } = network;
  return (await listNamespaces(fabricNamespace)).filter(
    (name) => name === fabricNamespace || name.startsWith(`${fabricNamespace}_`),
  );
}

async function listLinks(options: IpOptions): Promise<Set<string>> {
  const links = await readIp(["link", "show"], options);
  return new Set(links.map((link) => String((link as { ifname?: unknown }).ifname)));
}

/** Destinations of the routes by a link. */
async function listRoutes(options: IpOptions, link: string): Promise<string[]> {
  const routes = (await readIp(["-4", "route", "show"], options)) as {
    dst?: unknown;
    dev?: unknown;
  }[];
  return routes.filter(({ dev }) => dev === link).map(({ dst }) => String(dst));
}
