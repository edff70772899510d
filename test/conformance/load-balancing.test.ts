/** DestinationRule, trafficPolicy.loadBalancer: who gets the next request. */

import { test } from "@jest/globals";
import { waitUntil } from "#cluster/client/testing/wait-until.ts";
import { type MeshCall, describeMesh, istio } from "./harness.ts";

const host = "web.example.org";
const balance = (policy: string): string =>
  istio("DestinationRule", "balance", `{ host: ${host}, trafficPolicy: ${policy} }`).replace(
    "namespace: default",
    `namespace: default, creationTimestamp: "2025-01-01T00:00:00Z"`,
  );
/** So many that chance doesn't give what a policy promises. */
const MANY = 20;

describeMesh("a load balancer", (mesh) => {
  const workloads = async (calls: readonly MeshCall[]): Promise<(string | undefined)[]> => {
    const answers = [];
    for (const call of calls) answers.push((await mesh.call(call)).workload);
    return answers;
  };
  /** Every key always leads to one workload, and not all of them to the same. */
  const keyed = (toCall: (key: string) => MeshCall): Promise<void> =>
    waitUntil(
      "each key has its workload",
      async () => {
        const keys = Array.from({ length: MANY }, (_, index) => toCall(`key-${index}`));
        const first = await workloads(keys);
        const second = await workloads(keys);
        return first.every((one, index) => one === second[index]) && new Set(first).size === 2;
      },
      20_000,
    );
  const alternating = (call: MeshCall): Promise<void> =>
    waitUntil(
      "workloads take turns",
      async () => {
        const all = await workloads(Array.from({ length: MANY }, () => call));
        return all.every((one, index) => index === 0 || one !== all[index - 1]);
      },
      20_000,
    );

  test("takes turns where it is ROUND_ROBIN", async () => {
    mesh.apply(balance("{ loadBalancer: { simple: ROUND_ROBIN } }"));
    await alternating({ host });
  });

  test("keeps to a workload by the header it hashes", async () => {
    mesh.apply(balance("{ loadBalancer: { consistentHash: { httpHeaderName: x-user } } }"));
    await keyed((key) => ({ host, headers: { "x-user": key } }));
  });

  test("keeps to a workload by the parameter of the query it hashes", async () => {
    mesh.apply(balance("{ loadBalancer: { consistentHash: { httpQueryParameterName: user } } }"));
    await keyed((key) => ({ host, path: `/?user=${key}` }));
  });

  test("keeps to a workload by the table of Maglev too", async () => {
    const hash = "{ httpHeaderName: x-user, maglev: { tableSize: 1021 } }";
    mesh.apply(balance(`{ loadBalancer: { consistentHash: ${hash} } }`));
    await keyed((key) => ({ host, headers: { "x-user": key } }));
  });

  test("keeps a client at its workload by where it comes from", async () => {
    mesh.apply(balance("{ loadBalancer: { consistentHash: { useSourceIp: true } } }"));
    const all = Array.from({ length: MANY }, () => ({ host }));
    await waitUntil(
      "one workload for the client",
      async () => new Set(await workloads(all)).size === 1,
      20_000,
    );
  });

  test("is the port's own where the port has one", async () => {
    const port = "{ port: { number: 80 }, loadBalancer: { simple: ROUND_ROBIN } }";
    const top = "loadBalancer: { consistentHash: { useSourceIp: true } }";
    mesh.apply(balance(`{ ${top}, portLevelSettings: [${port}] }`));
    await alternating({ host });
  });
});
