import { describe, expect, test } from "@jest/globals";
import { withFakeCluster } from "#cluster/network/testing/fake-cluster.ts";
import { canMakeNamespaces, runInNamespace } from "#cluster/network/testing/fake-host.ts";

const story = new URL("./testing/proxy-story.ts", import.meta.url).pathname;
const withRoot = canMakeNamespaces ? test : test.skip;

describe("the proxy in real namespaces (needs root)", () => {
  withRoot(
    "translates between pods, nodes and host",
    async () => {
      await withFakeCluster(async (cluster) => {
        const [one, two] = cluster.nodes;
        const [a, b] = one?.pods ?? [];
        const node = one?.nodeAddress;
        const seen = await runInNamespace(one?.namespace ?? "", [story, JSON.stringify(cluster)]);
        expect(seen).toEqual({
          podToAll: [`a ${one?.gatewayAddress}`, `b ${a?.address}`, `c ${a?.address}`],
          podToItself: [`a ${one?.gatewayAddress}`],
          podToNeighbour: [`a ${b?.address}`],
          podToOtherNode: [`c ${a?.address}`],
          hostToOtherNode: [`c ${node}`],
          hostToLoadBalancer: [`c ${node}`],
          podToLoadBalancer: [`c ${a?.address}`],
          hostToNodePort: [`c ${node}`],
          hostToLocalNodePort: [`a ${cluster.network.hostAddress}`],
          nodeToVip: [`c ${node}`],
          noEndpoints: ["ECONNREFUSED"],
          noEndpointsFromHost: ["ECONNREFUSED"],
          unknownPort: ["ECONNREFUSED"],
          unknownPortFromHost: ["ECONNREFUSED"],
          unknownPortFromNode: ["ECONNREFUSED"],
          sticky: ["1"],
          removalMs: expect.any(Number),
          udp: ["a", "b"],
          podToRest: [`b ${a?.address}`],
          afterwards: [`c ${a?.address}`],
          lines: [],
        });
        expect(two?.pods).toHaveLength(2);
        expect((seen as { removalMs: number }).removalMs).toBeLessThan(1_000);
      });
    },
    60_000,
  );
});
