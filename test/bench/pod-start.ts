/** How long a pod takes from its creation to Ready, with and without a sidecar. */

import { NAMESPACES, PODS } from "#cluster/api/resources.ts";
import type { KubeClient } from "#cluster/client/client.ts";
import type { Row } from "./report.ts";
import { summarize } from "./report.ts";

const RUNS = 5;
const READY_BOUND_MS = 30_000;

export async function measurePodStart(client: KubeClient): Promise<Row[]> {
  const rows: Row[] = [];
  for (const injected of [false, true]) {
    const namespace = injected ? "bench-mesh" : "bench-plain";
    const labels: Record<string, string> = injected ? { "istio-injection": "enabled" } : {};
    await client.create(NAMESPACES, { metadata: { name: namespace, labels } });
    const durations: number[] = [];
    for (let run = 0; run < RUNS; run++) {
      durations.push(await startOne(client, namespace, `pod-${run}`));
    }
    const title = injected ? "with a sidecar" : "without a sidecar";
    rows.push({ title, value: summarize(durations) });
  }
  return rows;
}

async function startOne(client: KubeClient, namespace: string, name: string): Promise<number> {
  const signal = AbortSignal.timeout(READY_BOUND_MS);
  const started = performance.now();
  const pod = await client.create(PODS, {
    metadata: { name, namespace },
    spec: {
      terminationGracePeriodSeconds: 1,
      containers: [{ name: "app", image: "lateen.dev/bookinfo-details:1" }],
    },
  });
  const resourceVersion = pod.metadata.resourceVersion ?? "0";
  const fieldSelector = `metadata.name=${name}`;
  const events = client.watch(PODS, { namespace, fieldSelector, resourceVersion, signal });
  for await (const { object } of events) {
    const ready = object.status?.conditions?.some((c) => c.type === "Ready" && c.status === "True");
    if (ready === true) return performance.now() - started;
  }
  throw new Error(`pod ${namespace}/${name} was not Ready within ${READY_BOUND_MS} ms`);
}
