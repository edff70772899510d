import { describe, expect, test } from "@jest/globals";
import { applyIp } from "./ip.ts";
import { createPodNetwork } from "./pod-network.ts";
import { namespaceCommand } from "./run-in-namespace.ts";
import { canMakeNamespaces } from "#cluster/network/testing/fake-host.ts";

const withRoot = canMakeNamespaces ? test : test.skip;

describe("ip", () => {
  withRoot("an error names the line that failed", async () => {
    await expect(applyIp(["link show lo", "link del lt-h5-none"])).rejects.toThrow(
      '"ip link del lt-h5-none" failed: Cannot find device "lt-h5-none"',
    );
  });

  withRoot("a pod whose link can't be made leaves no namespace", async () => {
    const namespace = `lt-h5-pod-${process.pid}`;
    const request = { namespace, podAddress: "192.0.2.300", gatewayAddress: "192.0.2.1" };
    await expect(createPodNetwork(request)).rejects.toThrow("192.0.2.300");
    await expect(applyIp([`netns del ${namespace}`])).rejects.toThrow("No such file");
  });

  test("a namespace's name can't be a path", () => {
    expect(() => namespaceCommand("../../etc", ["true"])).toThrow("can't name");
    expect(namespaceCommand("x", ["true"])).toEqual([
      "nsenter",
      "--net=/var/run/netns/x",
      "--",
      "true",
    ]);
  });
});
