/** How a pod reads in a table: kubectl's READY, STATUS and RESTARTS. */

import type { ContainerStatus, Pod } from "#cluster/api/generated/core-v1.ts";
import { humanDuration } from "#cluster/apiserver/tables/age.ts";

export interface PodSummary {
  ready: number;
  total: number;
  status: string;
  restarts: number;
  /** RFC 3339; empty when no container ended yet. */
  lastRestart: string;
}

interface Tally extends PodSummary {
  /** Of native sidecars, which go on counting once the pod is initialized. */
  sidecars: { restarts: number; lastRestart: string };
  /** Whether an init container still holds back the others. */
  initializing: boolean;
}

/** Native sidecars (init containers with restartPolicy Always) count among the containers. */
export function summarize(pod: Pod): PodSummary {
  const { metadata, spec, status } = pod;
  const sidecars = sidecarNames(pod);
  const tally: Tally = {
    ready: 0,
    total: (spec?.containers?.length ?? 0) + sidecars.size,
    status: firstReason(pod),
    restarts: 0,
    lastRestart: "",
    sidecars: { restarts: 0, lastRestart: "" },
    initializing: false,
  };
  summarizeInit(pod, tally, sidecars);
  const initialized = status?.conditions?.some(
    (condition) => condition.type === "Initialized" && condition.status === "True",
  );
  if (!tally.initializing || initialized === true) summarizeContainers(pod, tally);
  if (metadata.deletionTimestamp !== undefined) {
    if (status?.reason === "NodeLost") tally.status = "Unknown";
    else if (status?.phase !== "Succeeded" && status?.phase !== "Failed") {
      tally.status = "Terminating";
    }
  }
  return tally;
}

/** `3 (5m ago)`, or the bare number when it isn't known when. */
export function restartsText({ restarts, lastRestart }: PodSummary, now: number): string {
  const since = Date.parse(lastRestart);
  if (restarts === 0 || Number.isNaN(since)) return String(restarts);
  return `${restarts} (${humanDuration(now - since)} ago)`;
}

function sidecarNames(pod: Pod): ReadonlySet<string> {
  const sidecars = (pod.spec?.initContainers ?? []).filter(
    (container) => container.restartPolicy === "Always",
  );
  return new Set(sidecars.map((container) => container.name));
}

function firstReason({ status }: Pod): string {
  const scheduled = status?.conditions?.find((condition) => condition.type === "PodScheduled");
  if (scheduled?.reason === "SchedulingGated") return scheduled.reason;
  return status?.reason || status?.phase || "Unknown";
}

function summarizeInit(pod: Pod, tally: Tally, sidecars: ReadonlySet<string>): void {
  const count = pod.spec?.initContainers?.length ?? 0;
  for (const [index, container] of (pod.status?.initContainerStatuses ?? []).entries()) {
    const isSidecar = sidecars.has(container.name);
    countRestarts(container, tally);
    if (isSidecar) countRestarts(container, tally.sidecars);
    const { terminated, waiting } = container.state ?? {};
    if (terminated?.exitCode === 0) continue;
    if (isSidecar && container.started === true) {
      if (container.ready) tally.ready += 1;
      continue;
    }
    if (terminated !== undefined) {
      tally.status = `Init:${terminated.reason || exitText(terminated)}`;
    } else if (waiting?.reason !== undefined && waiting.reason !== "PodInitializing") {
      tally.status = `Init:${waiting.reason}`;
    } else {
      tally.status = `Init:${index}/${count}`;
    }
    tally.initializing = true;
    return;
  }
}

function summarizeContainers(pod: Pod, tally: Tally): void {
  let running = false;
  Object.assign(tally, tally.sidecars);
  for (const container of (pod.status?.containerStatuses ?? []).toReversed()) {
    countRestarts(container, tally);
    const { terminated, waiting } = container.state ?? {};
    if ((waiting?.reason ?? "") !== "") {
      tally.status = waiting?.reason ?? "";
    } else if (terminated !== undefined) {
      tally.status = terminated.reason || exitText(terminated);
    } else if (container.ready && container.state?.running !== undefined) {
      running = true;
      tally.ready += 1;
    }
  }
  // One container is done, another still runs: the pod as a whole runs.
  if (tally.status === "Completed" && running) {
    const ready = pod.status?.conditions?.some(
      (condition) => condition.type === "Ready" && condition.status === "True",
    );
    tally.status = ready === true ? "Running" : "NotReady";
  }
}

function countRestarts(container: ContainerStatus, tally: Tally["sidecars"]): void {
  tally.restarts += container.restartCount ?? 0;
  const ended = container.lastState?.terminated?.finishedAt ?? "";
  if (ended > tally.lastRestart) tally.lastRestart = ended;
}

function exitText(terminated: { signal?: number; exitCode?: number }): string {
  return (terminated.signal ?? 0) !== 0
    ? `Signal:${terminated.signal}`
    : `ExitCode:${terminated.exitCode ?? 0}`;
}
