/** Starts one container: image, environment, configuration, create, start, postStart. */

import type { Container, Pod } from "#cluster/api/generated/core-v1.ts";
import { ContainerError } from "#cluster/runtime/container.ts";
import { buildContainerConfig } from "./container-config.ts";
import { buildEnv } from "./env.ts";
import { runHook } from "./hooks.ts";
import { type Waiting, ensureImage } from "./image-pull.ts";
import { podHostname } from "./network-files.ts";
import type { PodContext } from "./pod-context.ts";
import type { PodNetwork } from "./pod-networks.ts";
import { ensurePodGroup } from "./pod-group.ts";
import { podIdentity } from "./pod-parts.ts";

export interface StartRequest {
  pod: Pod;
  container: Container;
  attempt: number;
  network: PodNetwork;
  volumes: ReadonlyMap<string, string>;
  /** The pod is to be terminated: give up. */
  signal: AbortSignal;
}

export type StartResult = { ok: true; id: string } | { ok: false; waiting: Waiting };

const POST_START_TIMEOUT_MS = 600_000;

/** Answers with what the container waits for when it can't be started now. */
export async function startContainer(
  context: PodContext,
  request: StartRequest,
): Promise<StartResult> {
  const { pod, container } = request;
  const found = await ensureImage(context, pod, container, request.signal);
  if (!found.ok) return found;
  try {
    const id = await context.startGate.run(() => create(context, request, found.image));
    await postStart(context, request, id);
    return { ok: true, id };
  } catch (error) {
    if (!(error instanceof ContainerError)) throw error;
    const key = `${podIdentity(pod).uid}/${container.name}/start`;
    context.restarts.lengthen(key, Date.now());
    const at = { pod, name: container.name };
    context.events.container(at, "Warning", "Failed", `Error: ${error.message}`);
    const retryMs = context.restarts.remainingMs(key, Date.now());
    return { ok: false, waiting: { reason: error.reason, message: error.message, retryMs } };
  }
}

async function create(
  context: PodContext,
  request: StartRequest,
  image: Parameters<typeof buildContainerConfig>[0]["image"],
): Promise<string> {
  const { pod, container, network } = request;
  const { runtime, config, events, networks } = context;
  const identity = podIdentity(pod);
  const env = buildEnv(pod, container, {
    configMap: (name) => context.objects.configMap(identity.namespace, name),
    secret: (name) => context.objects.secret(identity.namespace, name),
    services: context.servicesFor(identity.namespace, pod.spec?.enableServiceLinks !== false),
    facts: context.facts(),
    podIp: network.address,
  });
  if (!env.ok) throw new ContainerError("CreateContainerConfigError", env.message);
  await ensurePodGroup(context, pod);
  const id = await runtime.containers.createContainer(
    await buildContainerConfig({
      pod,
      container,
      attempt: request.attempt,
      image,
      env: env.env,
      volumes: request.volumes,
      networkDir: networks.filesDir(identity.uid),
      hostname: podHostname(pod, config.nodeName),
      netnsPath: network.netnsPath,
      paths: context.paths,
      cgroupParent: config.cgroupParent,
      nodeMemoryBytes: context.nodeMemoryBytes,
    }),
  );
  const at = { pod, name: container.name };
  events.container(at, "Normal", "Created", "Container created");
  try {
    await runtime.containers.startContainer(id);
  } catch (error) {
    await runtime.containers.removeContainer(id);
    throw error;
  }
  events.container(at, "Normal", "Started", "Container started");
  return id;
}

/** A failed postStart hook kills the container, which its restart policy then deals with. */
async function postStart(context: PodContext, request: StartRequest, id: string): Promise<void> {
  const { pod, container, network, signal } = request;
  const handler = container.lifecycle?.postStart;
  if (handler === undefined) return;
  const target = { container, podIp: network.address, exec: context.runtime.execTarget(id) };
  const aborted = new Promise<undefined>((resolve) => {
    signal.addEventListener("abort", () => resolve(undefined), { once: true });
  });
  const result = await Promise.race([runHook(handler, target, POST_START_TIMEOUT_MS), aborted]);
  if (result === undefined || result.ok) return;
  const at = { pod, name: container.name };
  context.events.container(at, "Warning", "FailedPostStartHook", result.output);
  context.events.container(at, "Normal", "Killing", "FailedPostStartHook");
  const graceMs = (pod.spec?.terminationGracePeriodSeconds ?? 30) * 1000;
  await context.runtime.containers.stopContainer(id, { graceMs });
}
