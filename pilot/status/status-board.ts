/** What there is to say of every object, and when to say it: joins figures, problems and replicas. */

import type { ConvergenceTracker, Figure } from "./convergence.ts";
import { NO_PROXY, saysTheSame, statusOf } from "./object-status.ts";
import type { ObjectStatus, WeighedProblem } from "./object-status.ts";
import type { ReplicaEntry, Replicas } from "./replicas.ts";

/** An object as its source has it. */
export interface ObservedObject {
  /** `Kind/namespace/name`. */
  readonly key: string;
  readonly apiVersion: string;
  readonly generation: number;
  readonly status: unknown;
}

export interface StatusBoardOptions {
  tracker: ConvergenceTracker;
  /** The generation of an object that proxies are told; undefined where they are told nothing. */
  servedGeneration: (key: string) => number | undefined;
  problems: () => readonly WeighedProblem[];
  /** What an object names that doesn't exist: found out by looking it up. */
  inspect: (key: string) => readonly WeighedProblem[];
  /** Gets each status that says something else than the object's. */
  write: (object: ObservedObject, status: ObjectStatus) => void;
  /** Other discovery servers of the same cluster; absent where there are none. */
  replicas?: Replicas;
  /** Milliseconds since the epoch. */
  now: () => number;
  /** Runs something later; tests bring their own. */
  after: (ms: number, run: () => void) => void;
}

/** A look costs as much as there are problems: no more often than this. */
const LOOK_MS = 100;
/** What isn't live after this time is said to be waited for. */
const PATIENCE_MS = 3000;
/** How long others may take to tell of a change. */
const REPLICA_MS = 10_000;

/** Kinds that others name. */
const REFERRED = /^(Service|ServiceEntry|Gateway|VirtualService|DestinationRule)\//;

interface Entry {
  object: ObservedObject;
  /** When the object got this generation. */
  sinceMs: number;
  /** The last that was found out. */
  status?: ObjectStatus;
}

/** Looks at objects that something has happened to; everything else costs nothing. */
export class StatusBoard {
  readonly #options: StatusBoardOptions;
  readonly #entries = new Map<string, Entry>();
  readonly #dirty = new Set<string>();
  /** Object → its problems as text, at the last look. */
  #problems = new Map<string, string>();
  /** Objects that name what doesn't exist. */
  readonly #vain = new Set<string>();
  #scheduled = false;
  #started = false;

  constructor(options: StatusBoardOptions) {
    this.#options = options;
  }

  /** From now on looks have consequences; before, proxies may not have come back yet. */
  start(): void {
    this.#started = true;
    this.noteChange();
  }

  observe(object: ObservedObject): void {
    const known = this.#entries.get(object.key);
    if (known?.object.generation === object.generation) {
      known.object = object;
      return;
    }
    this.#entries.set(object.key, { object, sinceMs: this.#options.now() });
    this.#mark(object.key);
  }

  gone(key: string): void {
    this.#entries.delete(key);
    this.#dirty.delete(key);
    this.#vain.delete(key);
    this.#options.tracker.forget(key);
  }

  /** Objects that were pushed. */
  pushed(keys: readonly string[]): void {
    for (const key of keys) if (this.#entries.has(key)) this.#mark(key);
    // What was missing may have come; a Gateway may have gone from under its rules.
    if (keys.some((key) => REFERRED.test(key))) for (const key of this.#vain) this.#mark(key);
    if (!keys.some((key) => key.startsWith("Gateway/"))) return;
    for (const key of this.#entries.keys()) if (key.startsWith("VirtualService/")) this.#mark(key);
  }

  /** Proxies have come: objects that concerned none may concern them. */
  proxiesCame(): void {
    for (const [key, { status }] of this.#entries) {
      if (status?.conditions.some(({ reason }) => reason === NO_PROXY) === true) this.#mark(key);
    }
  }

  /** Problems may be others than before, or proxies have come further. */
  noteChange(): void {
    this.#schedule(LOOK_MS);
  }

  /** Everything is looked at again: it is up to us now to say it. */
  reconsider(): void {
    for (const key of this.#entries.keys()) this.#dirty.add(key);
    this.noteChange();
  }

  /** What is known of every object that something was found out about. */
  list(): { key: string; generation: number; status: ObjectStatus }[] {
    return [...this.#entries.values()].flatMap(({ object: { key, generation }, status }) =>
      status === undefined ? [] : [{ key, generation, status }],
    );
  }

  #mark(key: string): void {
    this.#dirty.add(key);
    this.#schedule(LOOK_MS);
  }

  #schedule(ms: number): void {
    if (this.#scheduled || !this.#started) return;
    this.#scheduled = true;
    this.#options.after(ms, () => {
      this.#scheduled = false;
      this.#look();
    });
  }

  #look(): void {
    const byObject = Map.groupBy(this.#options.problems(), ({ object }) => object);
    this.#markByProblems(byObject);
    this.#options.tracker.forgetGone();
    const own: Record<string, ReplicaEntry> = {};
    let waiting = false;
    for (const key of this.#dirty) {
      const entry = this.#entries.get(key);
      if (entry === undefined) this.#dirty.delete(key);
      else if (this.#consider(entry, this.#problemsOf(key, byObject.get(key) ?? []), own)) {
        this.#dirty.delete(key);
      } else waiting = true;
    }
    this.#options.replicas?.report(own);
    this.#options.tracker.forgetDone();
    if (waiting) this.#schedule(2 * LOOK_MS);
  }

  /** Problems come and go also by what happens to other objects. */
  #markByProblems(byObject: ReadonlyMap<string, readonly WeighedProblem[]>): void {
    const problems = new Map<string, string>();
    for (const [key, list] of byObject) {
      if (!this.#entries.has(key)) continue;
      problems.set(key, textOf(distinct(list)));
      if (this.#problems.get(key) !== problems.get(key)) this.#dirty.add(key);
    }
    for (const key of this.#problems.keys()) if (!problems.has(key)) this.#dirty.add(key);
    this.#problems = problems;
  }

  #problemsOf(key: string, told: readonly WeighedProblem[]): WeighedProblem[] {
    const found = this.#options.inspect(key);
    if (found.length === 0) this.#vain.delete(key);
    else this.#vain.add(key);
    const known = new Set(told.map(({ path, reason }) => `${path} ${reason}`));
    const more = found.filter(({ path, reason }) => !known.has(`${path} ${reason}`));
    return distinct([...told, ...more]);
  }

  /** True when there is nothing more to wait for. */
  #consider(
    entry: Entry,
    problems: readonly WeighedProblem[],
    own: Record<string, ReplicaEntry>,
  ): boolean {
    const { object, sinceMs } = entry;
    const { key, generation } = object;
    const { tracker, servedGeneration, replicas, now } = this.#options;
    const age = now() - sinceMs;
    const served = servedGeneration(key);
    // It is on its way to the proxies, or nobody is told of it: then only problems are to be said.
    if (served !== generation && problems.length === 0)
      return served === undefined && age > PATIENCE_MS;
    const figure = served === generation ? tracker.figure(key) : { proxies: 0, live: 0 };
    own[key] = { generation, figure, problems };
    const others = replicas?.of(key) ?? [];
    const behind = others.some((one) => (one?.generation ?? -1) < generation);
    if (behind && age < REPLICA_MS) return false;
    const heard = others.filter((one) => one?.generation === generation);
    const total = heard.reduce((sum, one) => add(sum, one!.figure), figure);
    const done = total.live === total.proxies;
    const status = statusOf({
      generation,
      figure: total,
      problems: distinct([...problems, ...heard.flatMap((one) => one!.problems)]),
      now: new Date(now()).toISOString().replace(/\.\d+Z$/, "Z"),
      previous: conditionsOf(object.status),
    });
    if (!done && age < PATIENCE_MS && status.conditions.at(-3)?.status === "Unknown") return false;
    entry.status = status;
    if (!saysTheSame(status, object.status)) this.#options.write(object, status);
    return done;
  }
}

function add(left: Figure, right: Figure): Figure {
  const afterMs = Math.max(left.afterMs ?? 0, right.afterMs ?? 0);
  return {
    proxies: left.proxies + right.proxies,
    live: left.live + right.live,
    ...(afterMs > 0 ? { afterMs } : {}),
  };
}

/** Each text once, in an order that doesn't depend on which proxy was looked at first. */
function distinct(problems: readonly WeighedProblem[]): WeighedProblem[] {
  const byText = new Map(problems.map((one) => [`${one.path} ${one.reason} ${one.message}`, one]));
  return [...byText]
    .toSorted(([left], [right]) => (left < right ? -1 : 1))
    .map(([, problem]) => problem);
}

function textOf(problems: readonly WeighedProblem[]): string {
  return JSON.stringify(problems.map(({ path, reason, message }) => [path, reason, message]));
}

function conditionsOf(status: unknown): readonly Readonly<Record<string, unknown>>[] {
  const { conditions } = (status ?? {}) as { conditions?: unknown };
  if (!Array.isArray(conditions)) return [];
  return conditions.filter(
    (one): one is Record<string, unknown> => typeof one === "object" && one !== null,
  );
}
