/** From the API server's answer to a changed weight to the change being seen by a client. */

import type { Resource } from "#cluster/api/resources.ts";
import type { KubeClient } from "#cluster/client/client.ts";
import type { TestCluster } from "#test/e2e/cluster.ts";
import { ask, reviewsVersion } from "#test/e2e/load.ts";
import type { Row } from "./report.ts";
import { summarize } from "./report.ts";

const VIRTUAL_SERVICES: Resource = {
  group: "networking.istio.io",
  version: "v1",
  plural: "virtualservices",
  kind: "VirtualService",
  namespaced: true,
};

const CHANGES = 20;
const EFFECTIVE_BOUND_MS = 5_000;

/** Flips reviews between two versions and waits for each to answer through the ingress. */
export async function measureConvergence(client: KubeClient, cluster: TestCluster): Promise<Row[]> {
  const { ingress } = await cluster.status();
  const url = `${ingress.http ?? ""}/api/v1/products/0/reviews`;
  const durations: number[] = [];
  for (let change = 0; change < CHANGES; change++) {
    const version = change % 2 === 0 ? "v1" : "v3";
    const route = [{ destination: { host: "reviews", subset: version } }];
    await client.patch(
      VIRTUAL_SERVICES,
      { namespace: "default", name: "reviews" },
      { type: "merge", body: { spec: { http: [{ route }] } } },
    );
    const answered = performance.now();
    while (reviewsVersion((await ask(url)).body) !== version) {
      if (performance.now() - answered > EFFECTIVE_BOUND_MS) throw new Error("no convergence");
    }
    durations.push(performance.now() - answered);
  }
  return [{ title: "weight → the proxy that routes by it", value: summarize(durations) }];
}
