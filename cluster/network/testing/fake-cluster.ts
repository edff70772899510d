/** A cluster's real namespaces on a fake host, with pods, for tests that send packets. */

import type { ClusterNetwork } from "#cluster/api/process-config.ts";
import { planCluster } from "#cluster/network/plan.ts";
import { runInNamespace, withFakeHost } from "./fake-host.ts";

export interface FakeNode {
  namespace: string;
  podNamespacePrefix: string;
  nodeAddress: string;
  podCidr: string;
  gatewayAddress: string;
  /** Two a node: namespaces and addresses. */
  pods: { namespace: string; address: string }[];
}

export interface FakeCluster {
  /** The namespace that plays the host. */
  host: string;
  network: ClusterNetwork;
  nodes: FakeNode[];
}

const clusterScript = new URL("./make-cluster.ts", import.meta.url).pathname;
const podScript = new URL("./pod-story.ts", import.meta.url).pathname;

/** Makes the cluster, runs the test and removes everything again. */
export async function withFakeCluster<R>(test: (cluster: FakeCluster) => Promise<R>): Promise<R> {
  return withFakeHost(async (host) => {
    const network = planCluster({ name: `lt-h5-${process.pid}`, index: 2, owner: "/srv/fake" });
    const call = (action: string) =>
      runInNamespace(host, [clusterScript, JSON.stringify({ network, action })]);
    try {
      const nodes = (await call("make")) as Omit<FakeNode, "pods">[];
      const withPods = nodes.map(async (node): Promise<FakeNode> => {
        const args = [podScript, node.podNamespacePrefix, node.gatewayAddress];
        const [a = "", b = ""] = (await runInNamespace(node.namespace, args)) as string[];
        const prefix = node.podNamespacePrefix;
        const pods = [
          { namespace: `${prefix}a`, address: a },
          { namespace: `${prefix}b`, address: b },
        ];
        return { ...node, pods };
      });
      return await test({ host, network, nodes: await Promise.all(withPods) });
    } finally {
      await call("remove");
    }
  });
}
