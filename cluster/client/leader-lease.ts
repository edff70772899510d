/** Leader election on a Lease object, so that replicas of a component don't act twice. */

import type { Lease } from "#cluster/api/generated/coordination-v1.ts";
import { LEASES } from "#cluster/api/resources.ts";
import { hasReason } from "#cluster/api/status-error.ts";
import type { KubeClient } from "./client.ts";
import { delay, systemClock } from "./clock.ts";
import type { Clock } from "./clock.ts";
import { describeError, stderrLog } from "./log.ts";
import type { Log } from "./log.ts";

export interface LeaderOptions {
  client: KubeClient;
  namespace: string;
  name: string;
  /** Unique among the candidates, for example host name and process id. */
  identity: string;
  /** How long others wait after the last renewal (default 15); a third of it is the period. */
  leaseSeconds?: number;
  /** Runs while we lead; its signal aborts when leadership is lost or `signal` aborts. */
  lead(signal: AbortSignal): Promise<void>;
  signal: AbortSignal;
  clock?: Clock;
  log?: Log;
}

/** What a candidate last saw of the Lease, and since when: clocks of replicas aren't compared. */
interface Observation {
  record: string;
  atMs: number;
}

/**
 * Stands for election until the signal aborts; after a lost leadership it stands again. The Lease
 * is released on the way out, so that a successor needn't wait.
 */
export async function runAsLeader(options: LeaderOptions): Promise<void> {
  const { signal, clock = systemClock, log = stderrLog } = options;
  const leaseMs = (options.leaseSeconds ?? 15) * 1_000;
  const candidate = new Candidate(options, clock, leaseMs);
  while (!signal.aborted) {
    if (!(await candidate.acquire())) {
      await delay(leaseMs / 6, signal, clock);
      continue;
    }
    log(`${options.name}: ${options.identity} leads`);
    const term = new AbortController();
    const end = (): void => term.abort();
    signal.addEventListener("abort", end, { once: true });
    const renewing = candidate.renewUntilLost(term);
    try {
      await options.lead(term.signal);
    } finally {
      term.abort();
      signal.removeEventListener("abort", end);
      await renewing;
      await candidate.release();
    }
    if (!signal.aborted) log(`${options.name}: ${options.identity} no longer leads`);
  }
}

class Candidate {
  readonly #options: LeaderOptions;
  readonly #clock: Clock;
  readonly #leaseMs: number;
  readonly #log: Log;
  #seen: Observation = { record: "", atMs: 0 };

  constructor(options: LeaderOptions, clock: Clock, leaseMs: number) {
    this.#options = options;
    this.#clock = clock;
    this.#leaseMs = leaseMs;
    this.#log = options.log ?? stderrLog;
  }

  /** Takes or renews the Lease; false when another holds it or the server can't be asked. */
  async acquire(): Promise<boolean> {
    try {
      return await this.#tryAcquire();
    } catch (error) {
      const lostRace = hasReason(error, "Conflict") || hasReason(error, "AlreadyExists");
      if (!lostRace) this.#log(`lease ${this.#options.name}: ${describeError(error)}`);
      return false;
    }
  }

  /** Aborts the term when two thirds of the lease pass without a successful renewal. */
  async renewUntilLost(term: AbortController): Promise<void> {
    let renewedMs = this.#clock.nowMs();
    while (!term.signal.aborted) {
      await delay(this.#leaseMs / 3, term.signal, this.#clock);
      if (term.signal.aborted) return;
      if (await this.acquire()) renewedMs = this.#clock.nowMs();
      else if (this.#clock.nowMs() - renewedMs >= (this.#leaseMs * 2) / 3) term.abort();
    }
  }

  async release(): Promise<void> {
    const { client, namespace, name, identity } = this.#options;
    try {
      const lease = await client.get(LEASES, { namespace, name });
      if (lease.spec?.holderIdentity !== identity) return;
      await client.update(LEASES, {
        ...lease,
        spec: { ...lease.spec, holderIdentity: "", leaseDurationSeconds: 1 },
      });
    } catch (error) {
      this.#log(`lease ${name}: not released: ${describeError(error)}`);
    }
  }

  async #tryAcquire(): Promise<boolean> {
    const { client, namespace, name, identity } = this.#options;
    const nowMs = this.#clock.nowMs();
    const current = await this.#read();
    const spec: Lease["spec"] = {
      holderIdentity: identity,
      leaseDurationSeconds: Math.round(this.#leaseMs / 1_000),
      acquireTime: microTime(nowMs),
      renewTime: microTime(nowMs),
      leaseTransitions: 0,
    };
    if (current === undefined) {
      await client.create(LEASES, { metadata: { namespace, name }, spec });
      return true;
    }
    const held = current.spec ?? {};
    const record = JSON.stringify(held);
    if (record !== this.#seen.record) this.#seen = { record, atMs: nowMs };
    const isOurs = held.holderIdentity === identity;
    const heldMs = (held.leaseDurationSeconds ?? 15) * 1_000;
    const isFree = (held.holderIdentity ?? "") === "" || this.#seen.atMs + heldMs <= nowMs;
    if (!isOurs && !isFree) return false;
    spec.acquireTime = isOurs ? held.acquireTime : spec.acquireTime;
    spec.leaseTransitions = (held.leaseTransitions ?? 0) + (isOurs ? 0 : 1);
    await client.update(LEASES, { ...current, spec: { ...held, ...spec } });
    return true;
  }

  async #read(): Promise<Lease | undefined> {
    const { client, namespace, name } = this.#options;
    try {
      return await client.get(LEASES, { namespace, name });
    } catch (error) {
      if (hasReason(error, "NotFound")) return undefined;
      throw error;
    }
  }
}

/** A MicroTime, as Leases carry it. */
function microTime(ms: number): string {
  return new Date(ms).toISOString().replace("Z", "000Z");
}
