/** Writes legacy Endpoints for clients that don't read EndpointSlices. */

import { isDeepStrictEqual } from "node:util";
import type { Endpoints, Pod, Service } from "#cluster/api/generated/core-v1.ts";
import { ENDPOINTS, PODS, SERVICES } from "#cluster/api/resources.ts";
import {
  HEADLESS_LABEL,
  hasSelectedEndpoints,
  isHeadless,
  selectsPod,
} from "#cluster/api/service.ts";
import { hasReason } from "#cluster/api/status-error.ts";
import type { ControllerContext } from "#cluster/client/controller-context.ts";
import { objectKey, splitKey } from "#cluster/client/object-store.ts";
import { runReconciler } from "#cluster/client/reconciler.ts";
import { WorkQueue } from "#cluster/client/work-queue.ts";
import { buildSubsets } from "./build-subsets.ts";

const CONCURRENCY = 4;
const MANAGED_BY_LABEL = "endpoints.kubernetes.io/managed-by";
const MANAGER = "endpoint-controller";

/** Runs until the context's signal aborts. */
export async function runEndpointsController(context: ControllerContext): Promise<void> {
  const { informers, clock, signal } = context;
  const queue = new WorkQueue(clock);
  const services = informers.get(SERVICES);
  const pods = informers.get(PODS);
  const endpoints = informers.get(ENDPOINTS);

  const enqueueFor = (pod: Pod): void => {
    for (const service of services.lister.list(pod.metadata.namespace)) {
      if (selectsPod(service, pod)) queue.add(objectKey(service.metadata));
    }
  };
  services.onChange(({ object }) => queue.add(objectKey(object.metadata)));
  endpoints.onChange(({ object }) => queue.add(objectKey(object.metadata)));
  pods.onChange((change) => {
    if (change.kind === "updated") enqueueFor(change.old);
    enqueueFor(change.object);
  });

  await Promise.all([services.synced, pods.synced, endpoints.synced]);
  await runReconciler({
    name: "endpoints-controller",
    queue,
    concurrency: CONCURRENCY,
    signal,
    async reconcile(key) {
      const { namespace, name } = splitKey(key);
      const service = services.lister.get(namespace, name);
      const existing = endpoints.lister.get(namespace, name);
      if (service === undefined) {
        if (existing !== undefined && isOurs(existing)) await remove(context, existing);
        return;
      }
      if (!hasSelectedEndpoints(service)) return;
      const selected = pods.lister.list(namespace).filter((pod) => selectsPod(service, pod));
      await write(context, { service, existing, pods: selected });
    },
  });
}

interface Present {
  service: Service;
  existing: Endpoints | undefined;
  pods: readonly Pod[];
}

async function write(
  { client, signal }: ControllerContext,
  { service, existing, pods }: Present,
): Promise<void> {
  const subsets = buildSubsets(service, pods);
  const labels = {
    ...service.metadata.labels,
    ...(isHeadless(service) ? { [HEADLESS_LABEL]: "" } : {}),
    [MANAGED_BY_LABEL]: MANAGER,
  };
  if (existing === undefined) {
    const { namespace, name } = service.metadata;
    try {
      await client.create(
        ENDPOINTS,
        { metadata: { namespace, name, labels }, subsets },
        { signal },
      );
    } catch (error) {
      // Ours, and on its way by the watch.
      if (!hasReason(error, "AlreadyExists")) throw error;
    }
    return;
  }
  const isSame =
    isDeepStrictEqual(existing.subsets ?? [], subsets) &&
    isDeepStrictEqual(existing.metadata.labels ?? {}, labels);
  if (isSame) return;
  const metadata = { ...existing.metadata, labels };
  await client.update(ENDPOINTS, { ...existing, metadata, subsets }, { signal });
}

/** Endpoints kept by hand, or by a leader election, stay. */
function isOurs(endpoints: Endpoints): boolean {
  return endpoints.metadata.labels?.[MANAGED_BY_LABEL] === MANAGER;
}

async function remove({ client }: ControllerContext, endpoints: Endpoints): Promise<void> {
  try {
    const { uid } = endpoints.metadata;
    await client.delete(ENDPOINTS, endpoints.metadata, { preconditions: { uid } });
  } catch (error) {
    if (!hasReason(error, "NotFound") && !hasReason(error, "Conflict")) throw error;
  }
}
