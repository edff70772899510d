/** Gives Services of type LoadBalancer an address of the cluster's range. */

import type { Service } from "#cluster/api/generated/core-v1.ts";
import { SERVICES } from "#cluster/api/resources.ts";
import type { ControllerContext } from "#cluster/client/controller-context.ts";
import { EventRecorder, referenceTo } from "#cluster/client/events.ts";
import { objectKey } from "#cluster/client/object-store.ts";
import { OwnWrites } from "#cluster/client/own-writes.ts";
import { runReconciler } from "#cluster/client/reconciler.ts";
import { WorkQueue } from "#cluster/client/work-queue.ts";
import { allocate, currentAddress, parseRange, wantsAddress } from "./allocate.ts";

/** One key: addresses are given out with all Services in view. */
const ALL = "all";

/** `cidr` is an IPv4 range; runs until the context's signal aborts. */
export async function runServiceLbController(
  context: ControllerContext,
  cidr: string,
): Promise<void> {
  const { client, informers, clock, signal } = context;
  const range = parseRange(cidr);
  const queue = new WorkQueue(clock);
  const services = informers.get(SERVICES);
  const written = new OwnWrites<Service>(services);
  const events = new EventRecorder({ client, component: "service-controller", clock, signal });

  services.onChange((change) => {
    if (change.kind === "deleted") written.forget(change.object);
    queue.add(ALL);
  });

  const write = async (service: Service, ip: string | undefined): Promise<void> => {
    const ingress = ip === undefined ? undefined : [{ ip, ipMode: "VIP" }];
    const loadBalancer = ingress === undefined ? {} : { ingress };
    const status = { ...service.status, loadBalancer };
    written.note(await client.updateStatus(SERVICES, { ...service, status }, { signal }));
  };

  await services.synced;
  await runReconciler({
    name: "service-lb-controller",
    queue,
    concurrency: 1,
    signal,
    async reconcile() {
      const present = written.over(services.lister.list(), () => true);
      const { addresses, refused } = allocate(present, range);
      for (const service of present) {
        const key = objectKey(service.metadata);
        const ip = addresses.get(key);
        const isReleased = !wantsAddress(service) && isOurs(service);
        if (ip === currentAddress(service) || (ip === undefined && !isReleased)) {
          tellRefusal(service, refused.get(key));
          continue;
        }
        await write(service, ip);
      }
    },
  });

  function tellRefusal(service: Service, message: string | undefined): void {
    if (message === undefined) return;
    const involved = referenceTo(SERVICES, service);
    events.record({ involved, type: "Warning", reason: "AddressNotAllocated", message });
  }

  /** No longer a LoadBalancer, but still with an address that only we give out. */
  function isOurs(service: Service): boolean {
    const isDeleting = service.metadata.deletionTimestamp !== undefined;
    const isForeign = service.spec?.loadBalancerClass !== undefined;
    return currentAddress(service) !== undefined && !isDeleting && !isForeign;
  }
}
