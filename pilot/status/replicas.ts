/** What other discovery servers of the cluster know: each keeps a Lease that carries its report. */

import { LEASES } from "#cluster/api/resources.ts";
import { hasReason } from "#cluster/api/status-error.ts";
import type { KubeClient } from "#cluster/client/client.ts";
import type { Figure } from "./convergence.ts";
import type { WeighedProblem } from "./object-status.ts";

/** What one replica knows of one object. */
export interface ReplicaEntry {
  readonly generation: number;
  readonly figure: Figure;
  readonly problems: readonly WeighedProblem[];
}

export interface ReplicasOptions {
  client: KubeClient;
  namespace: string;
  identity: string;
  log: (line: string) => void;
  signal: AbortSignal;
  /** Another replica has told something new of these objects. */
  onChange: (keys: readonly string[]) => void;
  intervalMs?: number;
}

const LABEL = "lateen.dev/pilot-replica";
const REPORT = "lateen.dev/report";
const INTERVAL_MS = 500;
/** So many intervals pass between two signs of life when there is nothing to tell. */
const HEARTBEAT = 10;
/** A replica that has given no sign for so many intervals is gone. */
const LOST = 24;
/** An annotation may have 256 KiB; the oldest entries give way. */
const MAX_REPORT = 200 * 1024;
const MAX_ENTRIES = 1000;

interface Other {
  /** All of its last sign of life, and what of it is the report. */
  record: string;
  report: string;
  seenAt: number;
  entries: ReadonlyMap<string, ReplicaEntry>;
}

/**
 * Tells and hears twice a second at most. With one replica that is a small write each five seconds;
 * what is told is bounded, and an object that isn't in it is one that the replica can't speak for.
 */
export class Replicas {
  readonly #options: ReplicasOptions;
  readonly #own = new Map<string, ReplicaEntry>();
  readonly #others = new Map<string, Other>();
  #round = 0;
  #news = false;

  constructor(options: ReplicasOptions) {
    this.#options = options;
  }

  /** Adds to what this replica tells. */
  report(entries: Readonly<Record<string, ReplicaEntry>>): void {
    for (const [key, entry] of Object.entries(entries)) {
      if (isSame(this.#own.get(key), entry)) continue;
      this.#own.delete(key);
      this.#own.set(key, entry);
      this.#news = true;
    }
    for (const key of this.#own.keys()) {
      if (this.#own.size <= MAX_ENTRIES) break;
      this.#own.delete(key);
    }
  }

  /** What each other replica says of an object; undefined for one that says nothing of it. */
  of(key: string): (ReplicaEntry | undefined)[] {
    return [...this.#others.values()].map(({ entries }) => entries.get(key));
  }

  /** Runs until the signal aborts, then takes its Lease away. */
  async run(): Promise<void> {
    const { signal, log, intervalMs = INTERVAL_MS } = this.#options;
    while (!signal.aborted) {
      try {
        await this.#turn();
      } catch (error) {
        if (!signal.aborted) log(`replicas: ${error instanceof Error ? error.message : ""}`);
      }
      await pause(intervalMs, signal);
    }
    const ref = { namespace: this.#options.namespace, name: this.#name() };
    await this.#options.client.delete(LEASES, ref).catch(() => {});
  }

  async #turn(): Promise<void> {
    const due = this.#round % HEARTBEAT === 0;
    if (this.#news || due) await this.#tell();
    // One that is alone needs to look for others only now and then.
    if (due || this.#others.size > 0) await this.#hear();
    this.#round++;
  }

  async #tell(): Promise<void> {
    const { client, namespace, identity } = this.#options;
    const name = this.#name();
    this.#news = false;
    const annotations = { [REPORT]: this.#reportText() };
    const spec = {
      holderIdentity: identity,
      leaseDurationSeconds: (LOST * INTERVAL_MS) / 1000,
      renewTime: new Date().toISOString().replace("Z", "000Z"),
    };
    try {
      const body = { metadata: { annotations }, spec };
      await client.patch(LEASES, { namespace, name }, { type: "merge", body });
    } catch (error) {
      if (!hasReason(error, "NotFound")) throw error;
      const metadata = { name, namespace, labels: { [LABEL]: "true" }, annotations };
      await client.create(LEASES, { metadata, spec });
    }
  }

  #reportText(): string {
    for (;;) {
      const text = JSON.stringify([...this.#own]);
      const [oldest] = this.#own.keys();
      if (text.length <= MAX_REPORT || oldest === undefined) return text;
      for (const key of [...this.#own.keys()].slice(0, 50)) this.#own.delete(key);
    }
  }

  async #hear(): Promise<void> {
    const { client, namespace } = this.#options;
    const { items } = await client.list(LEASES, { namespace, labelSelector: `${LABEL}=true` });
    const present = new Set<string>();
    for (const { metadata, spec } of items) {
      const { name, annotations = {} } = metadata;
      if (name === this.#name()) continue;
      present.add(name);
      const report = annotations[REPORT] ?? "";
      const record = `${spec?.renewTime}${report}`;
      const known = this.#others.get(name);
      if (known?.record === record) {
        if (this.#round - known.seenAt > LOST) {
          this.#others.delete(name);
          await client.delete(LEASES, { namespace, name }).catch(() => {});
        }
        continue;
      }
      const entries = known?.report === report ? known.entries : parseReport(report);
      this.#others.set(name, { record, report, seenAt: this.#round, entries });
      const news = [...entries].filter(([key, entry]) => !isSame(known?.entries.get(key), entry));
      if (news.length > 0) this.#options.onChange(news.map(([key]) => key));
    }
    for (const name of this.#others.keys()) if (!present.has(name)) this.#others.delete(name);
  }

  #name(): string {
    return `lateen-pilot-${this.#options.identity}`;
  }
}

/** Written by a replica of the same version, or by anybody: what isn't understood isn't there. */
function parseReport(text: string): ReadonlyMap<string, ReplicaEntry> {
  try {
    const list: unknown = JSON.parse(text);
    if (!Array.isArray(list)) return new Map();
    return new Map(list.filter(isEntry));
  } catch {
    return new Map();
  }
}

function isSame(left: ReplicaEntry | undefined, right: ReplicaEntry): boolean {
  return JSON.stringify(left) === JSON.stringify(right);
}

function isEntry(value: unknown): value is [string, ReplicaEntry] {
  if (!Array.isArray(value) || typeof value[0] !== "string") return false;
  const entry = value[1] as Partial<ReplicaEntry> | null;
  return (
    typeof entry?.generation === "number" &&
    typeof entry.figure?.proxies === "number" &&
    typeof entry.figure.live === "number" &&
    Array.isArray(entry.problems)
  );
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener("abort", end, { once: true });
    if (signal.aborted) end();
  });
}
