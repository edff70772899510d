/** Puts the kubelet together and runs it until the signal aborts; its containers stay. */

import { mkdir } from "node:fs/promises";
import { setInterval } from "node:timers";
import type { Service } from "#cluster/api/generated/core-v1.ts";
import type { NodeConfig } from "#cluster/api/process-config.ts";
import { PODS, SERVICES } from "#cluster/api/resources.ts";
import type { KubeClient } from "#cluster/client/client.ts";
import { createInformer } from "#cluster/client/create-informer.ts";
import { EventRecorder } from "#cluster/client/events.ts";
import { type Log, describeError } from "#cluster/client/log.ts";
import { rotateLogs } from "#cluster/runtime/log-rotation.ts";
import { type NodeRuntime, startNodeRuntime } from "#cluster/runtime/node-runtime.ts";
import { RestartBackoff } from "./backoff.ts";
import { Gate } from "./gate.ts";
import { readMachine, type MachineFacts } from "./node/machine.ts";
import { nodeResources } from "./node/node-object.ts";
import { keepAlive, registerNode } from "./node/registration.ts";
import { nodePaths } from "./node-paths.ts";
import { ObjectCache } from "./object-cache.ts";
import type { PodContext } from "./pod-context.ts";
import { PodEvents } from "./pod-events.ts";
import { PodNetworks } from "./pod-networks.ts";
import { PodWorkers } from "./pod-workers.ts";
import { ProbeManager } from "./probes/probe-manager.ts";
import { StatusWriter } from "./status/status-writer.ts";
import { PodVolumes } from "./volumes/pod-volumes.ts";
import { TokenSource } from "./volumes/tokens.ts";

export interface KubeletOptions {
  config: NodeConfig;
  client: KubeClient;
  log: Log;
  signal: AbortSignal;
}

/** What the kubelet's API serves. */
export interface Kubelet {
  context: PodContext;
  workers: PodWorkers;
  machine: MachineFacts;
  /** Resolves when everything has ended after the signal. */
  done: Promise<void>;
}

const PARALLEL_STARTS = 4;
const CHECK_MS = 10_000;

/** Resolves when the node is registered and all its pods are known and looked after. */
export async function startKubelet(options: KubeletOptions): Promise<Kubelet> {
  const { config, client, log, signal } = options;
  const paths = nodePaths(config);
  await mkdir(paths.podsDir, { recursive: true, mode: 0o755 });
  // The workers come last, but what they consist of tells them about changes.
  let workers: PodWorkers | undefined;
  const kick = (podUid: string): void => workers?.kick(podUid);
  const runtime = await startNodeRuntime({
    stateDir: paths.clusterDir,
    nodeDir: paths.nodeDir,
    imagesFile: config.imagesFile,
    onChange: kick,
    onProblem: log,
  });
  const machine = await readMachine(config.stateDir, runtime.tools);
  const services = createInformer(client, SERVICES);
  const context = createContext({
    ...options,
    runtime,
    machine,
    kick,
    services: () => services.lister.list(),
  });
  workers = new PodWorkers(context);
  await context.networks.adopt();
  await registerNode({ client, config, machine, log, signal });
  const pods = createInformer(client, PODS, {
    fieldSelector: `spec.nodeName=${config.nodeName}`,
  });
  void services.run(signal);
  await untilAborted(services.synced, signal);
  pods.onChange(workers.onChange);
  void pods.run(signal);
  await untilAborted(pods.synced, signal);
  const done = runUntilAborted({ options, context, workers, machine });
  return { context, workers, machine, done };
}

function createContext(
  parts: KubeletOptions & {
    runtime: NodeRuntime;
    machine: MachineFacts;
    kick: (podUid: string) => void;
    services: () => readonly Service[];
  },
): PodContext {
  const { config, client, log, runtime, machine, kick } = parts;
  const paths = nodePaths(config);
  const recorder = new EventRecorder({ client, component: "kubelet", host: config.nodeName, log });
  const events = new PodEvents(recorder);
  const { allocatable } = nodeResources(machine);
  const facts = (): ReturnType<PodContext["facts"]> => ({
    nodeName: config.nodeName,
    nodeAddress: config.nodeAddress,
    allocatable: {
      cpu: allocatable.cpu ?? "0",
      memory: allocatable.memory ?? "0",
      "ephemeral-storage": allocatable["ephemeral-storage"] ?? "0",
    },
  });
  const objects = new ObjectCache(client, kick);
  const probes = new ProbeManager({
    execTarget: (id) => runtime.execTarget(id),
    onChange: kick,
    onUnhealthy: (pod, name, message) =>
      events.container({ pod, name }, "Warning", "Unhealthy", message),
  });
  const tokens = new TokenSource(client);
  return {
    config,
    client,
    log,
    runtime,
    paths,
    objects,
    probes,
    events,
    facts,
    networks: new PodNetworks(config, paths, log),
    volumes: new PodVolumes({
      paths,
      objects,
      tokens,
      facts,
    }),
    statuses: new StatusWriter(client, log),
    restarts: new RestartBackoff(),
    pulls: new RestartBackoff(),
    startGate: new Gate(PARALLEL_STARTS),
    nodeMemoryBytes: machine.memoryBytes,
    servicesFor: (namespace, links) => servicesFor(parts.services(), namespace, links),
  };
}

/** The API server's Service always; with service links those of the pod's namespace as well. */
function servicesFor(
  services: readonly Service[],
  namespace: string,
  enableServiceLinks: boolean,
): Service[] {
  const isMaster = ({ metadata }: Service): boolean =>
    metadata.namespace === "default" && metadata.name === "kubernetes";
  return services
    .filter(
      (service) =>
        isMaster(service) || (enableServiceLinks && service.metadata.namespace === namespace),
    )
    .toSorted((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
}

async function runUntilAborted(parts: {
  options: KubeletOptions;
  context: PodContext;
  workers: PodWorkers;
  machine: MachineFacts;
}): Promise<void> {
  const { options, context, workers, machine } = parts;
  const { client, config, log, signal } = options;
  const { containers } = context.runtime;
  void workers.removeOrphans();
  const timer = setInterval(() => {
    const work = Promise.all([
      containers.checkAlive(),
      rotateLogs({
        containers: containers.list(),
        containerDir: (id) => containers.containerDir(id),
      }),
    ]);
    work.catch((error: unknown) => log(`look after containers: ${describeError(error)}`));
  }, CHECK_MS);
  await keepAlive({ client, config, machine, log, signal });
  clearInterval(timer);
  workers.stop();
  context.probes.stop();
  context.statuses.stop();
  context.objects.stop();
  containers.stop();
}

function untilAborted(work: Promise<void>, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  const aborted = new Promise<void>((resolve) => {
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
  return Promise.race([work, aborted]);
}
