/** What every pod's worker shares with the others of the node. */

import type { Service } from "#cluster/api/generated/core-v1.ts";
import type { NodeConfig } from "#cluster/api/process-config.ts";
import type { KubeClient } from "#cluster/client/client.ts";
import type { Log } from "#cluster/client/log.ts";
import type { NodeRuntime } from "#cluster/runtime/node-runtime.ts";
import type { RestartBackoff } from "./backoff.ts";
import type { NodeFacts } from "./downward.ts";
import type { Gate } from "./gate.ts";
import type { NodePaths } from "./node-paths.ts";
import type { ObjectCache } from "./object-cache.ts";
import type { PodEvents } from "./pod-events.ts";
import type { PodNetworks } from "./pod-networks.ts";
import type { ProbeManager } from "./probes/probe-manager.ts";
import type { StatusWriter } from "./status/status-writer.ts";
import type { PodVolumes } from "./volumes/pod-volumes.ts";

export interface PodContext {
  config: NodeConfig;
  client: KubeClient;
  log: Log;
  runtime: NodeRuntime;
  paths: NodePaths;
  networks: PodNetworks;
  volumes: PodVolumes;
  objects: ObjectCache;
  probes: ProbeManager;
  statuses: StatusWriter;
  events: PodEvents;
  /** Pauses of containers that keep failing, by `UID/NAME/…`. */
  restarts: RestartBackoff;
  /** Pauses of images that can't be pulled, by `UID/IMAGE`. */
  pulls: RestartBackoff;
  /** Bounds how many containers are started at once. */
  startGate: Gate;
  facts: () => NodeFacts;
  nodeMemoryBytes: number;
  /** Services whose variables a pod of this namespace gets. */
  servicesFor: (namespace: string, enableServiceLinks: boolean) => readonly Service[];
}
