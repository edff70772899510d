/** Mirrors Endpoints that people keep by hand into EndpointSlices, which is what proxies read. */

import type { Endpoints } from "#cluster/api/generated/core-v1.ts";
import type { EndpointSlice } from "#cluster/api/generated/discovery-v1.ts";
import { ENDPOINTS, ENDPOINT_SLICES, SERVICES } from "#cluster/api/resources.ts";
import { hasSelectedEndpoints } from "#cluster/api/service.ts";
import { hasReason } from "#cluster/api/status-error.ts";
import type { ControllerContext } from "#cluster/client/controller-context.ts";
import { objectKey, splitKey } from "#cluster/client/object-store.ts";
import { OwnWrites } from "#cluster/client/own-writes.ts";
import { runReconciler } from "#cluster/client/reconciler.ts";
import { WorkQueue } from "#cluster/client/work-queue.ts";
import {
  MANAGED_BY_LABEL,
  MANAGER,
  planMirror,
  SERVICE_NAME_LABEL,
  SKIP_LABEL,
} from "./mirrored-slices.ts";

const CONCURRENCY = 4;
/** Written by leader elections into Endpoints that are no addresses of a Service. */
const LEADER_ANNOTATION = "control-plane.alpha.kubernetes.io/leader";

/** Runs until the context's signal aborts. */
export async function runEndpointSliceMirroringController(
  context: ControllerContext,
): Promise<void> {
  const { client, informers, clock, signal } = context;
  const queue = new WorkQueue(clock);
  const services = informers.get(SERVICES);
  const endpoints = informers.get(ENDPOINTS);
  const slices = informers.get(ENDPOINT_SLICES, { mirrorOf });
  const written = new OwnWrites<EndpointSlice>(slices);

  services.onChange(({ object }) => queue.add(objectKey(object.metadata)));
  endpoints.onChange(({ object }) => queue.add(objectKey(object.metadata)));
  slices.onChange((change) => {
    if (change.kind === "deleted") written.forget(change.object);
    for (const key of mirrorOf(change.object)) queue.add(key);
  });

  await Promise.all([services.synced, endpoints.synced, slices.synced]);
  await runReconciler({
    name: "endpointslice-mirroring-controller",
    queue,
    concurrency: CONCURRENCY,
    signal,
    async reconcile(key) {
      const { namespace, name } = splitKey(key);
      const service = services.lister.get(namespace, name);
      const source = endpoints.lister.get(namespace, name);
      const existing = written.over(slices.lister.byIndex("mirrorOf", key), (slice) =>
        mirrorOf(slice).includes(key),
      );
      const isWanted =
        service !== undefined && !hasSelectedEndpoints(service) && isMirrored(source);
      const plan = planMirror(
        isWanted && source !== undefined ? source : { metadata: { namespace, name } },
        existing,
      );
      for (const slice of plan.create) written.note(await client.create(ENDPOINT_SLICES, slice));
      for (const slice of plan.update) written.note(await client.update(ENDPOINT_SLICES, slice));
      for (const slice of plan.remove) {
        try {
          await client.delete(ENDPOINT_SLICES, slice.metadata);
          written.noteDeleted(slice);
        } catch (error) {
          if (!hasReason(error, "NotFound")) throw error;
        }
      }
    },
  });
}

function isMirrored(endpoints: Endpoints | undefined): boolean {
  if (endpoints === undefined || endpoints.metadata.deletionTimestamp !== undefined) return false;
  const { labels = {}, annotations = {} } = endpoints.metadata;
  return labels[SKIP_LABEL] !== "true" && annotations[LEADER_ANNOTATION] === undefined;
}

/** The key of the Endpoints of which we keep a slice; nothing for slices of others. */
function mirrorOf({ metadata }: EndpointSlice): readonly string[] {
  const service = metadata.labels?.[SERVICE_NAME_LABEL];
  const isOurs = metadata.labels?.[MANAGED_BY_LABEL] === MANAGER && service !== undefined;
  return isOurs ? [`${metadata.namespace}/${service}`] : [];
}
