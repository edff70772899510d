/** Runs inside a node's namespace, as the node agent does: makes two pods and one that goes. */

import { createAddressPool } from "#cluster/network/address-pool.ts";
import { createPodNetwork, deletePodNetwork } from "#cluster/network/pod-network.ts";

const [prefix = "", gatewayAddress = ""] = process.argv.slice(2);
const pool = createAddressPool(`${gatewayAddress}/24`, [gatewayAddress]);
const addresses = await Promise.all(
  ["a", "b", "gone"].map(async (name) => {
    const podAddress = pool.allocate() ?? "";
    await createPodNetwork({ namespace: `${prefix}${name}`, podAddress, gatewayAddress });
    return podAddress;
  }),
);
await deletePodNetwork(`${prefix}gone`);
await deletePodNetwork(`${prefix}gone`);
// Made anew over what is there, as after a crash in between.
await createPodNetwork({ namespace: `${prefix}a`, podAddress: addresses[0] ?? "", gatewayAddress });
console.log(JSON.stringify(addresses));
