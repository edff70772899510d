/** The whole of it: what happens in the discovery server comes in, statuses of objects go out. */

import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import { ConvergenceTracker } from "./convergence.ts";
import type { ConnectedProxy } from "./convergence.ts";
import type { WeighedProblem } from "./object-status.ts";
import { refusalProblems } from "./refusals.ts";
import type { Refusal } from "./refusals.ts";
import { Replicas } from "./replicas.ts";
import { RouteStatuses } from "./route-statuses.ts";
import type { ParentVerdict } from "./route-statuses.ts";
import { StatusBoard } from "./status-board.ts";
import type { ObservedObject } from "./status-board.ts";
import { StatusWriter } from "./status-writer.ts";
import type { AnyObject, KubeObject } from "#cluster/api/meta.ts";
import type { Resource } from "#cluster/api/resources.ts";
import type { KubeClient } from "#cluster/client/client.ts";
import { runAsLeader } from "#cluster/client/leader-lease.ts";
import { keyOfChange } from "#pilot/model/change.ts";
import type { Change } from "#pilot/model/change.ts";

export interface ObjectStatusesOptions {
  /** Kinds that have a status of ours. */
  resources: readonly Resource<AnyObject>[];
  connections: () => Iterable<ConnectedProxy>;
  /** The generation of an object that proxies are told; undefined where they are told nothing. */
  servedGeneration: (key: string) => number | undefined;
  /** What is wrong with objects, apart from what proxies refuse. */
  problems: () => readonly WeighedProblem[];
  refusals: () => Iterable<Refusal>;
  /** What an object names that doesn't exist; must be cheap. */
  inspect: (key: string) => readonly WeighedProblem[];
  /** The kind whose status speaks of parents. */
  routes?: {
    resource: Resource<AnyObject>;
    controllerName: string;
    parentsOf: (key: string) => readonly ParentVerdict[] | undefined;
  };
}

export interface RunOptions {
  /** Where statuses are written; without, they are only shown. */
  client?: KubeClient;
  namespace: string;
  log: (line: string) => void;
  signal: AbortSignal;
}

const LEASE = "lateen-pilot-status";
/** Proxies of a discovery server that was restarted come back within this time. */
const GRACE_MS = 2000;
const ARRIVALS_MS = 2000;

export class ObjectStatuses {
  readonly #tracker: ConvergenceTracker;
  readonly #groups: ReadonlyMap<string, string>;
  readonly #options: ObjectStatusesOptions;
  readonly #routes: RouteStatuses | undefined;
  #writer: StatusWriter | undefined;
  #board: StatusBoard | undefined;
  /** Until there is a board. */
  readonly #observed = new Map<string, ObservedObject>();

  constructor(options: ObjectStatusesOptions) {
    this.#options = options;
    this.#groups = new Map(options.resources.map(({ kind, group }) => [kind, group]));
    const { routes } = options;
    this.#routes =
      routes &&
      new RouteStatuses({
        controllerName: routes.controllerName,
        parentsOf: routes.parentsOf,
        write: (object, status) => this.#writer?.write(object, status),
        now: Date.now,
      });
    this.#tracker = new ConvergenceTracker({
      connections: options.connections,
      now: () => performance.now(),
      onProgress: () => this.#board?.noteChange(),
    });
  }

  /** An object as its source has it; those of other kinds are none of ours. */
  observe({ type, object }: { type: "upsert" | "delete"; object: KubeObject }): void {
    const { apiVersion = "", kind = "", metadata } = object;
    const { namespace = "default", name, generation = 0 } = metadata;
    const key = `${kind}/${namespace}/${name}`;
    const { resource } = this.#options.routes ?? {};
    if (kind === resource?.kind && apiVersion.startsWith(`${resource.group}/`)) {
      if (type === "delete") this.#routes?.gone(key);
      else this.#routes?.observe({ key, apiVersion, generation, status: object.status });
      return;
    }
    const group = this.#groups.get(kind);
    if (group === undefined || !apiVersion.startsWith(`${group}/`)) return;
    if (type === "delete") {
      this.#observed.delete(key);
      this.#board?.gone(key);
      return;
    }
    const observed = { key, apiVersion, generation, status: object.status };
    if (this.#board === undefined) this.#observed.set(key, observed);
    else this.#board.observe(observed);
  }

  /** Changes went out, and these proxies are about to be told; `since` by `performance.now`. */
  told(changes: readonly Change[], reached: Iterable<ConnectedProxy>, since: number): void {
    const keys = changes.map(keyOfChange);
    // Most pushes are of endpoints, which nobody waits for here.
    const objects = keys.filter((key) => this.#groups.has(key.slice(0, key.indexOf("/"))));
    if (objects.length > 0) this.#tracker.pushed({ objects, reached, sinceMs: since });
    this.#board?.pushed(keys);
  }

  converged(proxy: object): void {
    this.#tracker.converged(proxy as ConnectedProxy);
  }

  /** There may be something else to say of the parents of a route. */
  noteVerdict(key: string): void {
    this.#routes?.consider(key);
  }

  /** Problems may be others than before. */
  noteChange(): void {
    this.#board?.noteChange();
  }

  list(): ReturnType<StatusBoard["list"]> {
    return this.#board?.list() ?? [];
  }

  /** Statuses are found out, and written by one of the replicas, until the signal aborts. */
  run({ client, namespace, log, signal }: RunOptions): void {
    const { servedGeneration, problems, refusals, inspect, resources } = this.#options;
    const host = hostname()
      .toLowerCase()
      .slice(0, 63)
      .replaceAll(/[^a-z0-9-]/g, "-");
    const identity = `${host}-${randomUUID().slice(0, 8)}`;
    const { routes } = this.#options;
    const written = routes === undefined ? resources : [...resources, routes.resource];
    const writer = client && new StatusWriter({ client, resources: written, log });
    this.#writer = writer;
    const onChange = (keys: readonly string[]): void => this.#board?.pushed(keys);
    const replicas = client && new Replicas({ client, namespace, identity, log, signal, onChange });
    const board = new StatusBoard({
      tracker: this.#tracker,
      servedGeneration,
      problems: () => [...problems(), ...refusalProblems(refusals())],
      inspect,
      write: (object, status) => writer?.write(object, status),
      ...(replicas === undefined ? {} : { replicas }),
      now: Date.now,
      after: (ms, run) => void setTimeout(run, ms).unref(),
    });
    this.#board = board;
    for (const object of this.#observed.values()) board.observe(object);
    this.#observed.clear();
    this.#noteArrivals(signal);
    setTimeout(() => board.start(), client === undefined ? 0 : GRACE_MS).unref();
    if (client === undefined || writer === undefined) return;
    void replicas?.run();
    const lead = async (term: AbortSignal): Promise<void> => {
      writer.setLeader(true);
      board.reconsider();
      this.#routes?.reconsider();
      await new Promise<void>((resolve) => {
        if (term.aborted) resolve();
        else term.addEventListener("abort", () => resolve(), { once: true });
      });
      writer.setLeader(false);
    };
    const leading = runAsLeader({ client, namespace, name: LEASE, identity, lead, signal, log });
    leading.catch((error: unknown) => log(`status: ${String(error)}`));
  }

  /** Objects that wait for no proxy are looked at again when some have come. */
  #noteArrivals(signal: AbortSignal): void {
    let last: ConnectedProxy | undefined;
    const look = (): void => {
      const newest = [...this.#options.connections()].at(-1);
      if (newest !== undefined && newest !== last) this.#board?.proxiesCame();
      last = newest;
    };
    const timer = setInterval(look, ARRIVALS_MS);
    timer.unref();
    signal.addEventListener("abort", () => clearInterval(timer), { once: true });
  }
}
