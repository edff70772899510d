import { expect, test } from "@jest/globals";
import type { Pod } from "#cluster/api/generated/core-v1.ts";
import { hostsFile, resolvConf } from "./network-files.ts";

const NETWORK = {
  fabricCidr: "192.0.2.0/24",
  hostAddress: "192.0.2.1",
  podCidr: "192.0.2.0/24",
  serviceCidr: "198.51.100.0/24",
  loadBalancerCidr: "203.0.113.0/24",
  dnsAddress: "198.51.100.10",
  clusterDomain: "cluster.local",
  fabricNamespace: "x",
  hostLink: "x",
};
const HOST = "search corp.example\nnameserver 192.0.2.53\noptions timeout:2\n";

const pod = (spec: Partial<NonNullable<Pod["spec"]>>): Pod => ({
  metadata: { name: "example", namespace: "other" },
  spec: { containers: [], ...spec },
});

test("a pod asks the cluster's DNS, with its namespace first in the search path", () => {
  expect(resolvConf(pod({}), NETWORK, HOST)).toBe(
    "search other.svc.cluster.local svc.cluster.local cluster.local corp.example\n" +
      "nameserver 198.51.100.10\noptions ndots:5\n",
  );
});

test("dnsPolicy Default is the host's, None is dnsConfig alone", () => {
  expect(resolvConf(pod({ dnsPolicy: "Default" }), NETWORK, HOST)).toBe(HOST);
  const dnsConfig = {
    nameservers: ["192.0.2.8"],
    searches: ["example.org"],
    options: [{ name: "ndots", value: "2" }, { name: "rotate" }],
  };
  expect(resolvConf(pod({ dnsPolicy: "None", dnsConfig }), NETWORK, HOST)).toBe(
    "search example.org\nnameserver 192.0.2.8\noptions ndots:2 rotate\n",
  );
});

test("hosts has the pod's own names and its aliases", () => {
  const text = hostsFile(
    pod({
      hostname: "web-0",
      subdomain: "web",
      hostAliases: [{ ip: "192.0.2.77", hostnames: ["a.example", "b.example"] }],
    }),
    "192.0.2.9",
    "cluster.local",
  );
  expect(text).toContain("192.0.2.9\tweb-0.web.other.svc.cluster.local\tweb-0\n");
  expect(text).toContain("192.0.2.77\ta.example\tb.example\n");
});
