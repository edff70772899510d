/** Stops containers in Kubernetes' order: hooks at once, main containers, then sidecars backwards. */

import type { Container, Pod } from "#cluster/api/generated/core-v1.ts";
import type { ContainerStatus } from "#cluster/runtime/container.ts";
import { runHook } from "./hooks.ts";
import type { PodContext } from "./pod-context.ts";
import { findContainer, initContainers, isSidecar } from "./pod-parts.ts";

export interface KillRequest {
  pod: Pod;
  container: Container;
  status: ContainerStatus;
  /** Of the Killing event. */
  message: string;
  podIp: string;
  /** When everything must have ended. */
  deadlineMs: number;
  /** Resolves when it is this container's turn. */
  turn?: Promise<unknown>;
  /** Ends all patience. */
  hurry: AbortSignal;
}

/** Every container gets at least this long between its signal and SIGKILL. */
const MIN_GRACE_MS = 2000;

/** preStop, the signal, and SIGKILL when the grace is over; the hook's time is part of the grace. */
export async function killContainer(context: PodContext, request: KillRequest): Promise<void> {
  const { pod, container, status, deadlineMs, hurry } = request;
  const at = { pod, name: container.name };
  context.events.container(at, "Normal", "Killing", request.message);
  const isPatient = (): boolean => !hurry.aborted && deadlineMs > Date.now();
  if (container.lifecycle?.preStop !== undefined && isPatient()) {
    const left = deadlineMs - Date.now();
    const hook = preStop(context, request, left);
    await within(hook, left, hurry);
  }
  if (request.turn !== undefined && isPatient()) {
    await within(request.turn, deadlineMs - Date.now(), hurry);
  }
  const graceMs = Math.max(MIN_GRACE_MS, deadlineMs - Date.now());
  await context.runtime.containers.stopContainer(status.id, { graceMs, hurry });
}

async function preStop(
  context: PodContext,
  { pod, container, status, podIp }: KillRequest,
  timeoutMs: number,
): Promise<void> {
  const handler = container.lifecycle?.preStop;
  if (handler === undefined) return;
  const target = { container, podIp, exec: context.runtime.execTarget(status.id) };
  const result = await runHook(handler, target, timeoutMs);
  if (result.ok) return;
  const at = { pod, name: container.name };
  const message = `PreStopHook failed: ${result.output}`;
  context.events.container(at, "Warning", "FailedPreStopHook", message);
}

/** Stops everything of a pod that runs. */
export async function killPod(
  context: PodContext,
  options: {
    pod: Pod;
    running: readonly ContainerStatus[];
    podIp: string;
    graceMs: number;
    hurry: AbortSignal;
  },
): Promise<void> {
  const { pod, running, podIp, hurry } = options;
  const deadlineMs = Date.now() + options.graceMs;
  const kill = (status: ContainerStatus, turn?: Promise<unknown>): Promise<void> => {
    const container = findContainer(pod, status.identity.name) ?? { name: status.identity.name };
    const message = `Stopping container ${container.name}`;
    return killContainer(context, {
      pod,
      container,
      status,
      message,
      podIp,
      deadlineMs,
      hurry,
      turn,
    });
  };
  const sidecars = initContainers(pod)
    .filter(isSidecar)
    .flatMap(({ name }) => running.find((status) => status.identity.name === name) ?? [])
    .toReversed();
  const others = running.filter((status) => !sidecars.includes(status));
  let before: Promise<unknown> = Promise.all(others.map((status) => kill(status)));
  const all = [before];
  for (const status of sidecars) {
    before = kill(status, before);
    all.push(before);
  }
  await Promise.all(all);
}

async function within(work: Promise<unknown>, ms: number, hurry: AbortSignal): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  let wake: () => void = () => undefined;
  const end = new Promise<void>((resolve) => {
    wake = resolve;
    timer = setTimeout(resolve, Math.max(0, ms));
    hurry.addEventListener("abort", wake, { once: true });
  });
  try {
    await Promise.race([work, end]);
  } finally {
    clearTimeout(timer);
    hurry.removeEventListener("abort", wake);
  }
}
