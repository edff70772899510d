import { describe, expect, test } from "@jest/globals";
import {
  canMakeNamespaces,
  runInNamespace,
  withFakeHost,
} from "#cluster/network/testing/fake-host.ts";

const story = new URL("./testing/fabric-story.ts", import.meta.url).pathname;
const withRoot = canMakeNamespaces ? test : test.skip;

describe("fabric (needs root)", () => {
  withRoot(
    "a cluster of two nodes is made, connected and removed without a trace",
    async () => {
      const name = `lt-h5-${process.pid}`;
      expect(await withFakeHost((host) => runInNamespace(host, [story, name]))).toEqual({
        reached: {
          hostToPod: true,
          hostToPodOfNode2: true,
          podToPod: true,
          podToPodOfNode2: true,
          podToHost: true,
          nodeToPodOfNode2: true,
          hostToDnsAddress: true,
        },
        nodes: [
          { nodeName: "node-1", index: 1 },
          { nodeName: "node-2", index: 2 },
        ],
        taken: "node index 2 of other is taken by node node-2",
        chosen: "10.131.0.0/16",
        again: "10.128.0.0/16",
        afterNode2: expect.not.arrayContaining(["route 10.128.2.0/24"]),
        afterAll: [],
      });
    },
    60_000,
  );
});
