/** Makes a cluster of two nodes on the fake host that it runs on; its network is in the argument. */

import type { ClusterNetwork } from "#cluster/api/process-config.ts";
import { createFabric, createNode, deleteFabric } from "#cluster/network/fabric.ts";
import { applyIp } from "#cluster/network/ip.ts";

const { network, action } = JSON.parse(process.argv[2] ?? "") as {
  network: ClusterNetwork;
  action: "make" | "remove";
};

if (action === "remove") {
  await deleteFabric(network);
  console.log("{}");
} else {
  await applyIp(["link set lo up"]);
  await createFabric(network);
  const nodes = [
    await createNode({ network, nodeName: "node-1", index: 1 }),
    await createNode({ network, nodeName: "node-2", index: 2 }),
  ];
  console.log(JSON.stringify(nodes));
}
