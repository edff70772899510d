/** Publishes the ready pods of each Service as EndpointSlices. */

import type { Node, Pod, Service } from "#cluster/api/generated/core-v1.ts";
import type { EndpointSlice } from "#cluster/api/generated/discovery-v1.ts";
import { ENDPOINT_SLICES, NODES, PODS, SERVICES } from "#cluster/api/resources.ts";
import { hasSelectedEndpoints, selectsPod } from "#cluster/api/service.ts";
import { hasReason } from "#cluster/api/status-error.ts";
import type { KubeClient } from "#cluster/client/client.ts";
import type { ControllerContext } from "#cluster/client/controller-context.ts";
import type { Change } from "#cluster/client/informer.ts";
import { objectKey, splitKey } from "#cluster/client/object-store.ts";
import { OwnWrites } from "#cluster/client/own-writes.ts";
import { runReconciler } from "#cluster/client/reconciler.ts";
import { WorkQueue } from "#cluster/client/work-queue.ts";
import { buildEndpoints } from "./build-endpoints.ts";
import { MANAGED_BY_LABEL, MANAGER, planSlices, SERVICE_NAME_LABEL } from "./plan-slices.ts";
import type { SlicePlan } from "./plan-slices.ts";

const CONCURRENCY = 16;

/** Runs until the context's signal aborts. */
export async function runEndpointSliceController(context: ControllerContext): Promise<void> {
  const { client, informers, clock, signal } = context;
  const queue = new WorkQueue(clock);
  const services = informers.get(SERVICES);
  const pods = informers.get(PODS);
  const nodes = informers.get(NODES);
  const slices = informers.get(ENDPOINT_SLICES, { managedFor });
  const written = new OwnWrites<EndpointSlice>(slices);

  services.onChange(({ object }) => queue.add(objectKey(object.metadata)));
  pods.onChange((change) => {
    for (const service of services.lister.list(change.object.metadata.namespace)) {
      if (concerns(service, change)) queue.add(objectKey(service.metadata));
    }
  });
  nodes.onChange((change) => {
    if (change.kind === "updated" && zoneOf(change.old) === zoneOf(change.object)) return;
    const name = change.object.metadata.name;
    for (const pod of pods.lister.list().filter(({ spec }) => spec?.nodeName === name)) {
      for (const service of services.lister.list(pod.metadata.namespace)) {
        if (selectsPod(service, pod)) queue.add(objectKey(service.metadata));
      }
    }
  });
  slices.onChange((change) => {
    if (change.kind === "deleted") written.forget(change.object);
    for (const key of managedFor(change.object)) queue.add(key);
  });

  await Promise.all([services.synced, pods.synced, nodes.synced, slices.synced]);
  await runReconciler({
    name: "endpointslice-controller",
    queue,
    concurrency: CONCURRENCY,
    signal,
    async reconcile(key) {
      const { namespace, name } = splitKey(key);
      const service = services.lister.get(namespace, name);
      // Slices of a deleted Service go with it: it owns them.
      if (service === undefined || service.metadata.deletionTimestamp !== undefined) return;
      if (!hasSelectedEndpoints(service)) return;
      const existing = written.over(slices.lister.byIndex("managedFor", key), (slice) =>
        managedFor(slice).includes(key),
      );
      const groups = buildEndpoints({
        service,
        pods: pods.lister.list(namespace).filter((pod) => selectsPod(service, pod)),
        nodeOf: (node) => nodes.lister.get(undefined, node),
      });
      await applyPlan(client, planSlices(service, groups, existing), written);
    },
  });
}

/** New slices first, so that an endpoint that moves is never missing. */
async function applyPlan(
  client: KubeClient,
  plan: SlicePlan,
  written: OwnWrites<EndpointSlice>,
): Promise<void> {
  await Promise.all([
    ...plan.create.map(async (slice) => written.note(await client.create(ENDPOINT_SLICES, slice))),
    ...plan.update.map(async (slice) => written.note(await client.update(ENDPOINT_SLICES, slice))),
  ]);
  for (const slice of plan.remove) {
    try {
      await client.delete(ENDPOINT_SLICES, slice.metadata);
      written.noteDeleted(slice);
    } catch (error) {
      if (!hasReason(error, "NotFound")) throw error;
    }
  }
}

/** The key of the Service for which we manage a slice; nothing for slices of others. */
function managedFor({ metadata }: EndpointSlice): readonly string[] {
  const service = metadata.labels?.[SERVICE_NAME_LABEL];
  const isOurs = metadata.labels?.[MANAGED_BY_LABEL] === MANAGER && service !== undefined;
  return isOurs ? [`${metadata.namespace}/${service}`] : [];
}

function concerns(service: Service, change: Change<Pod>): boolean {
  return (
    selectsPod(service, change.object) ||
    (change.kind === "updated" && selectsPod(service, change.old))
  );
}

function zoneOf(node: Node): string | undefined {
  return node.metadata.labels?.["topology.kubernetes.io/zone"];
}
