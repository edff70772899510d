/** The probes of all running containers, by container id: ready? started? to be restarted? */

import type { Container, Pod, Probe } from "#cluster/api/generated/core-v1.ts";
import type { ContainerStatus } from "#cluster/runtime/container.ts";
import type { ExecTarget } from "#cluster/runtime/exec.ts";
import { runCheck } from "./check.ts";
import { type ProbeKind, ProbeWorker } from "./probe-worker.ts";

export interface ProbeManagerOptions {
  execTarget: (id: string) => ExecTarget;
  /** A result has changed. */
  onChange: (podUid: string) => void;
  onUnhealthy: (pod: Pod, container: string, message: string) => void;
}

/** What the API server last knew of a container that an earlier agent started. */
export interface KnownHealth {
  ready: boolean;
  started: boolean;
}

interface ContainerProbes {
  podUid: string;
  workers: Map<ProbeKind, ProbeWorker>;
  /** Holds without probes, and until they have decided. */
  known: KnownHealth | undefined;
}

export class ProbeManager {
  readonly #options: ProbeManagerOptions;
  readonly #containers = new Map<string, ContainerProbes>();

  constructor(options: ProbeManagerOptions) {
    this.#options = options;
  }

  /** Begins to probe a running container; a second call for the same id changes nothing. */
  watch(options: {
    pod: Pod;
    container: Container;
    status: ContainerStatus;
    podIp: string;
    /** Of a container taken over; it stays ready until its probes say otherwise. */
    known?: KnownHealth;
  }): void {
    const { pod, container, status, known } = options;
    if (this.#containers.has(status.id)) return;
    const probes: ContainerProbes = {
      podUid: status.identity.podUid,
      workers: new Map(),
      known,
    };
    this.#containers.set(status.id, probes);
    const kinds: [ProbeKind, Probe | undefined][] = [
      ["startup", known?.started === true ? undefined : container.startupProbe],
      ["readiness", container.readinessProbe],
      ["liveness", container.livenessProbe],
    ];
    for (const [kind, probe] of kinds) {
      if (probe === undefined) continue;
      const worker = new ProbeWorker({
        kind,
        probe,
        startedAtMs: Date.parse(status.startedAt ?? status.createdAt),
        initial: kind === "liveness" || (kind === "readiness" && known?.ready === true),
        check: (timeoutMs) =>
          runCheck(
            probe,
            { container, podIp: options.podIp, exec: this.#options.execTarget(status.id) },
            timeoutMs,
          ),
        mayRun: () => kind === "startup" || this.isStarted(status.id),
        onResult: () => this.#options.onChange(probes.podUid),
        onFailure: (output) =>
          this.#options.onUnhealthy(pod, container.name, unhealthyMessage(kind, output)),
      });
      probes.workers.set(kind, worker);
    }
  }

  /** Ends the probes of a container that no longer runs. */
  forget(id: string): void {
    for (const worker of this.#containers.get(id)?.workers.values() ?? []) worker.stop();
    this.#containers.delete(id);
  }

  /** Liveness and startup must not restart what is being terminated; readiness goes on. */
  stopRestarts(podUid: string): void {
    for (const probes of this.#containers.values()) {
      if (probes.podUid !== podUid) continue;
      probes.workers.get("liveness")?.stop();
      probes.workers.get("startup")?.stop();
    }
  }

  isWatched(id: string): boolean {
    return this.#containers.has(id);
  }

  isStarted(id: string): boolean {
    const probes = this.#containers.get(id);
    if (probes === undefined) return false;
    return probes.workers.get("startup")?.healthy ?? true;
  }

  isReady(id: string): boolean {
    const probes = this.#containers.get(id);
    if (probes === undefined || !this.isStarted(id)) return false;
    return probes.workers.get("readiness")?.healthy ?? true;
  }

  /** The probe that condemns the container, if one does. */
  failedProbe(id: string): "startup" | "liveness" | undefined {
    const workers = this.#containers.get(id)?.workers;
    const startup = workers?.get("startup");
    if (startup?.decided === true && !startup.healthy) return "startup";
    return workers?.get("liveness")?.healthy === false ? "liveness" : undefined;
  }

  stop(): void {
    for (const id of this.#containers.keys()) this.forget(id);
  }
}

function unhealthyMessage(kind: ProbeKind, output: string): string {
  const name = { startup: "Startup", readiness: "Readiness", liveness: "Liveness" }[kind];
  return `${name} probe failed: ${output}`;
}
