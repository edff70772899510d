/** One probe of one run of a container: when it runs next and what its results amount to. */

import type { Probe } from "#cluster/api/generated/core-v1.ts";
import type { CheckResult } from "./http-check.ts";

export type ProbeKind = "startup" | "readiness" | "liveness";

export interface ProbeWorkerOptions {
  kind: ProbeKind;
  probe: Probe;
  /** When the container was started. */
  startedAtMs: number;
  /** What holds until the thresholds say otherwise. */
  initial: boolean;
  check: (timeoutMs: number) => Promise<CheckResult>;
  /** Whether the probe has its turn (readiness and liveness wait for startup). */
  mayRun: () => boolean;
  onResult: (healthy: boolean) => void;
  /** A failure at the probe's regular pace, for the event. */
  onFailure: (output: string) => void;
}

/** First of the short pauses before the first success. */
const EAGER_PAUSE_MS = 20;
const EAGER_EXEC_PAUSE_MS = 200;
const HOLD_PAUSE_MS = 20;

/**
 * Probes at the period that the pod asks for. Until its first success a startup or readiness probe
 * looks more often, with doubling pauses, so that a container that is up in milliseconds isn't
 * unready for a whole period; its failures are counted at the regular pace only, the first after a
 * whole period.
 */
export class ProbeWorker {
  readonly #options: ProbeWorkerOptions;
  readonly #periodMs: number;
  readonly #timeoutMs: number;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;
  #healthy: boolean;
  #decided = false;
  #successes = 0;
  #failures = 0;
  #lastFailureMs = Number.NEGATIVE_INFINITY;
  #eagerPauseMs: number;

  constructor(options: ProbeWorkerOptions) {
    this.#options = options;
    this.#periodMs = (options.probe.periodSeconds ?? 10) * 1000;
    this.#timeoutMs = (options.probe.timeoutSeconds ?? 1) * 1000;
    this.#healthy = options.initial;
    this.#eagerPauseMs = options.probe.exec === undefined ? EAGER_PAUSE_MS : EAGER_EXEC_PAUSE_MS;
    const firstMs = options.startedAtMs + (options.probe.initialDelaySeconds ?? 0) * 1000;
    if (options.kind !== "liveness") this.#lastFailureMs = Math.max(firstMs, Date.now());
    this.#schedule(Math.max(0, firstMs - Date.now()));
  }

  get healthy(): boolean {
    return this.#healthy;
  }

  /** Whether the thresholds have been reached at least once. */
  get decided(): boolean {
    return this.#decided;
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  #schedule(delayMs: number): void {
    if (this.#stopped) return;
    this.#timer = setTimeout(() => void this.#tick(), delayMs).unref();
  }

  async #tick(): Promise<void> {
    if (!this.#options.mayRun()) {
      this.#schedule(HOLD_PAUSE_MS);
      return;
    }
    const result = await this.#options.check(this.#timeoutMs);
    if (this.#stopped) return;
    if (result.ok) this.#succeeded();
    else this.#failed(result.output);
    this.#schedule(this.#pauseMs(result.ok));
  }

  #pauseMs(ok: boolean): number {
    const eager = this.#options.kind !== "liveness" && !this.#healthy;
    if (!eager) return this.#periodMs;
    if (!ok) this.#eagerPauseMs = Math.min(this.#eagerPauseMs * 2, this.#periodMs);
    return Math.min(this.#eagerPauseMs, this.#periodMs);
  }

  #succeeded(): void {
    this.#failures = 0;
    this.#successes += 1;
    if (this.#successes >= (this.#options.probe.successThreshold ?? 1)) this.#decide(true);
  }

  #failed(output: string): void {
    this.#successes = 0;
    const now = Date.now();
    // A little early is on time: timers and the check itself take their milliseconds.
    if (now - this.#lastFailureMs < this.#periodMs * 0.9) return;
    this.#lastFailureMs = now;
    this.#failures += 1;
    this.#options.onFailure(output);
    if (this.#failures >= (this.#options.probe.failureThreshold ?? 3)) this.#decide(false);
  }

  #decide(healthy: boolean): void {
    const changed = !this.#decided || this.#healthy !== healthy;
    this.#decided = true;
    this.#healthy = healthy;
    if (changed) this.#options.onResult(healthy);
  }
}
