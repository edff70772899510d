import { describe, expect, test } from "@jest/globals";
import { rangesOfAddresses, rangesOfRoutes } from "./host-ranges.ts";
import { chooseClusterNetwork, planCluster, planNode } from "./plan.ts";

const owner = "/srv/lateen/x";

describe("planCluster", () => {
  test("follows the table of ARCHITECTURE.md", () => {
    expect(planCluster({ name: "default", index: 1, owner })).toEqual({
      fabricCidr: "10.133.0.0/24",
      hostAddress: "10.133.0.1",
      podCidr: "10.131.0.0/16",
      serviceCidr: "10.132.0.0/16",
      loadBalancerCidr: "10.133.200.0/24",
      dnsAddress: "10.132.0.10",
      clusterDomain: "cluster.local",
      fabricNamespace: expect.stringMatching(/^lateen-default-[0-9a-f]{4}$/),
      hostLink: expect.stringMatching(/^lt-default-[0-9a-f]{4}$/),
    });
    expect(planNode(planCluster({ name: "default", index: 1, owner }), 2)).toEqual({
      nodeAddress: "10.133.0.12",
      podCidr: "10.131.2.0/24",
      gatewayAddress: "10.131.2.1",
    });
  });

  test("gives links of at most 15 characters, different for clusters with like names", () => {
    const names = ["a-very-long-cluster-name-1", "a-very-long-cluster-name-2", "a"];
    const links = names.map(
      (name) => planCluster({ name, index: 41, owner: `/srv/${name}` }).hostLink,
    );
    expect(new Set(links).size).toBe(3);
    expect(Math.max(...links.map((link) => link.length))).toBeLessThanOrEqual(15);
  });

  test("refuses names that could leave their folder and nodes beyond the fabric", () => {
    expect(() => planCluster({ name: "../x", index: 0, owner })).toThrow('cluster name "../x"');
    expect(() => planCluster({ name: "x", index: 42, owner })).toThrow("out of range");
    expect(() => planNode(planCluster({ name: "x", index: 0, owner }), 245)).toThrow("1 to 244");
  });
});

describe("chooseClusterNetwork", () => {
  const first = planCluster({ name: "other", index: 0, owner });

  test("skips ranges that the host routes and those of other clusters", () => {
    const hostRoutes = [{ cidr: "10.132.0.0/14", link: "tun0" }];
    const chosen = chooseClusterNetwork({ name: "x", owner, hostRoutes, taken: [first] });
    expect(chosen.podCidr).toBe("10.137.0.0/16");
  });

  test("keeps the previous network although its own link routes it", () => {
    const previous = planCluster({ name: "x", index: 3, owner });
    const hostRoutes = [{ cidr: previous.podCidr, link: previous.hostLink }];
    expect(chooseClusterNetwork({ name: "x", owner, hostRoutes, taken: [first], previous })).toBe(
      previous,
    );
  });

  test("says what took the previous network and how to go on", () => {
    const previous = planCluster({ name: "x", index: 0, owner });
    const hostRoutes = [{ cidr: "10.129.0.0/24", link: "wg0" }];
    expect(() =>
      chooseClusterNetwork({ name: "x", owner, hostRoutes, taken: [], previous }),
    ).toThrow(
      'created with 10.129.0.0/16, which is now routed by wg0 (10.129.0.0/24): free that range, or start anew with "lateen down --name x --purge"',
    );
  });

  test("names the routes in the way when nothing is free", () => {
    const hostRoutes = [{ cidr: "10.0.0.0/8", link: "tun0" }];
    expect(() => chooseClusterNetwork({ name: "x", owner, hostRoutes, taken: [] })).toThrow(
      "in the way is what is routed by tun0 (10.0.0.0/8)",
    );
  });
});

describe("host ranges", () => {
  test("are read from iproute2's JSON; default routes are no obstacle", () => {
    expect(
      rangesOfRoutes([
        { dst: "default", gateway: "192.0.2.1", dev: "eth0" },
        { dst: "192.0.2.0/24", dev: "eth0" },
        { type: "blackhole", dst: "198.51.100.7" },
        null,
      ]),
    ).toEqual([
      { cidr: "192.0.2.0/24", link: "eth0" },
      { cidr: "198.51.100.7", link: "" },
    ]);
    expect(
      rangesOfAddresses([
        { ifname: "eth0", addr_info: [{ local: "192.0.2.2", prefixlen: 24 }, {}] },
        { ifname: "br0" },
      ]),
    ).toEqual([{ cidr: "192.0.2.2/24", link: "eth0" }]);
  });
});

test("a cluster of the same name in another home takes neither its link nor its ranges", () => {
  const running = planCluster({ name: "x", index: 0, owner: "/srv/a/x" });
  const hostRoutes = [{ cidr: running.fabricCidr, link: running.hostLink }];
  const chosen = chooseClusterNetwork({ name: "x", owner: "/srv/b/x", hostRoutes, taken: [] });
  expect(chosen.hostLink).not.toBe(running.hostLink);
  expect(chosen.fabricNamespace).not.toBe(running.fabricNamespace);
});
