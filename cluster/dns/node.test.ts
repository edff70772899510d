import { describe, expect, test } from "@jest/globals";
import { withFakeCluster } from "#cluster/network/testing/fake-cluster.ts";
import { canMakeNamespaces, runInNamespace } from "#cluster/network/testing/fake-host.ts";

const story = new URL("./testing/node-story.ts", import.meta.url).pathname;
const withRoot = canMakeNamespaces ? test : test.skip;

describe("DNS on a node (needs root)", () => {
  withRoot(
    "answers on the cluster's DNS address and on its own, to pods, the node and the host",
    async () => {
      const answers = await withFakeCluster(async ({ host, network, nodes }) => {
        const [one] = nodes;
        const places = [one?.pods[0]?.namespace, one?.namespace, host].map(String);
        const args = [story, network.dnsAddress, String(one?.nodeAddress), ...places];
        return runInNamespace(one?.namespace ?? "", args);
      });
      expect(answers).toEqual(Array.from({ length: 6 }, () => "10.129.1.1"));
    },
    60_000,
  );
});
