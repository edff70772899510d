/** All controllers of the control plane, in one process over shared informers. */

import type { ClusterNetwork } from "#cluster/api/process-config.ts";
import type { KubeClient } from "#cluster/client/client.ts";
import { systemClock } from "#cluster/client/clock.ts";
import type { ControllerContext } from "#cluster/client/controller-context.ts";
import { InformerSet } from "#cluster/client/informer-set.ts";
import { runDeploymentController } from "./deployment/deployment-controller.ts";
import { runEndpointsController } from "./endpoints/endpoints-controller.ts";
import { runEndpointSliceController } from "./endpointslice/endpointslice-controller.ts";
import { runEndpointSliceMirroringController } from "./endpointslice-mirroring/mirroring-controller.ts";
import { runGarbageCollector } from "./garbage-collector/garbage-collector.ts";
import { runNamespaceController } from "./namespace/namespace-controller.ts";
import { runNodeLifecycleController } from "./node-lifecycle/node-lifecycle-controller.ts";
import { runPodGcController } from "./pod-gc/pod-gc-controller.ts";
import { runReplicaSetController } from "./replicaset/replicaset-controller.ts";
import { runServiceLbController } from "./service-lb/service-lb-controller.ts";
import { runServiceAccountController } from "./serviceaccount/serviceaccount-controller.ts";

export interface ControllersOptions {
  client: KubeClient;
  network: ClusterNetwork;
  /** PEM bundle that pods get to verify the API server. */
  rootCa: string;
  signal: AbortSignal;
}

/** Runs until the signal aborts; rejects when a controller ends for another reason. */
export async function runControllers(options: ControllersOptions): Promise<void> {
  const { client, network, rootCa, signal } = options;
  const informers = new InformerSet(client);
  const context: ControllerContext = { client, informers, clock: systemClock, signal };
  const running = [
    runServiceAccountController(context, rootCa),
    runDeploymentController(context),
    runReplicaSetController(context),
    runEndpointSliceController(context),
    runEndpointsController(context),
    runEndpointSliceMirroringController(context),
    runServiceLbController(context, network.loadBalancerCidr),
    runNamespaceController(context),
    runGarbageCollector(context),
    runNodeLifecycleController(context),
    runPodGcController(context),
  ];
  // Each has registered its handlers by now.
  await Promise.all([...running, informers.run(signal)]);
}
