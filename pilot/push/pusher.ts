import { isDeepStrictEqual } from "node:util";
import { ChangeQueue, SYSTEM_CLOCK } from "./change-queue.ts";
import type { QueueClock } from "./change-queue.ts";
import { Connection } from "./connection.ts";
import { ConnectionIndex } from "./connection-index.ts";
import { ScopeState } from "./scope-state.ts";
import { HalfChanges } from "./half-changes.ts";
import { problemsOfFilters } from "./scope-patches.ts";
import { ResourceInterner } from "#pilot/cache/interner.ts";
import type { OpenOptions, OpenResult } from "#pilot/cache/view.ts";
import type { ClientForm } from "#pilot/envoy/build.ts";
import type { IrProblem } from "#pilot/ir/scope-ir.ts";
import { keyOfChange } from "#pilot/model/change.ts";
import type { Change } from "#pilot/model/change.ts";
import { extentOf } from "#pilot/model/extent.ts";
import type { Extent } from "#pilot/model/extent.ts";
import { impactOf, movedBy } from "#pilot/model/impact.ts";
import type { IrList } from "#pilot/model/impact.ts";
import { parseProxy } from "#pilot/model/proxy.ts";
import type { Proxy } from "#pilot/model/proxy.ts";
import { lookup } from "#pilot/model/object-index.ts";
import { createPushContext, objectOf, updatePushContext } from "#pilot/model/push-context.ts";
import type { PushContext } from "#pilot/model/push-context.ts";
import { scopesOf } from "#pilot/model/scope.ts";
import type { ProxyScope, ScopeKey } from "#pilot/model/scope.ts";

/** What one batch of changes cost and reached. */
export interface PushReport {
  changes: number;
  /** Scopes whose lists were translated again, and how many of them came out different. */
  scopes: number;
  changedScopes: number;
  proxies: number;
  /** From the first change's arrival to the last stream being told. */
  ms: number;
}

export interface PusherOptions {
  log: (line: string) => void;
  onPush?: (report: PushReport) => void;
  /** Before the streams of these proxies are told, with the time at which the first change came. */
  onTell?: (changes: readonly Change[], reached: ReadonlySet<Connection>, since: number) => void;
  clock?: QueueClock;
}

const ALL_LISTS: ReadonlySet<IrList> = new Set([
  "clusters",
  "listeners",
  "routes",
  "endpoints",
  "secrets",
]);
/** A batch larger than this is taken to touch everything: finding out would cost more. */
const MAX_EXAMINED = 256;
/** How many scopes are kept that no proxy uses, and how long at most. */
const MAX_IDLE = 64;
const IDLE_MS = 60_000;

/** A change with the hosts that it is about, in the lists that it is about. */
interface ExaminedChange {
  change: Change;
  extent: Extent;
}

interface Shared {
  state: ScopeState;
  users: Set<Connection>;
}

/**
 * Keeps what connected proxies see in step with the world: changes → affected scopes → translation →
 * encoded tables → streams. Scopes live as long as a proxy uses them, and a little longer.
 */
export class Pusher {
  readonly #options: PusherOptions;
  readonly #clock: QueueClock;
  readonly #queue: ChangeQueue;
  readonly #halves = new HalfChanges();
  readonly #interner = new ResourceInterner();
  readonly #scopes = new Map<ScopeKey, Shared>();
  /** Scopes without users, the longest unused first. */
  readonly #idle = new Set<ScopeKey>();
  readonly #connections = new Set<Connection>();
  readonly #placed = new ConnectionIndex();
  #context: PushContext = createPushContext([]);
  #started = false;
  #resuming = false;

  constructor(options: PusherOptions) {
    this.#options = options;
    this.#clock = options.clock ?? SYSTEM_CLOCK;
    this.#queue = new ChangeQueue((changes, since) => this.#push(changes, since), this.#clock);
  }

  get context(): PushContext {
    return this.#context;
  }

  get connections(): ReadonlySet<Connection> {
    return this.#connections;
  }

  scopes(): ScopeState[] {
    return [...this.#scopes.values()].map(({ state }) => state);
  }

  /** Problems of everything that some proxy uses. */
  problems(): IrProblem[] {
    const used = [...this.#scopes.values()].filter(({ users }) => users.size > 0);
    const strangers = [...this.#connections].filter(({ lacksSecrets }) => lacksSecrets);
    return [
      ...problemsOfFilters(this.#context),
      ...used.flatMap(({ state }) => state.problems()),
      ...strangers.map(withheldFrom),
    ];
  }

  /** Notes changes; they take effect in a batch soon, but none before `start`. */
  apply(changes: readonly Change[]): void {
    this.#queue.add(changes);
  }

  /** The initial state is complete: takes all of it in before it returns. */
  start(): void {
    this.#queue.flush();
    this.#started = true;
    this.#queue.start();
  }

  /** The view of a proxy that connects; translation happens when its first stream looks at a type. */
  open(node: Record<string, unknown>, options: OpenOptions): OpenResult {
    const version = node["userAgentBuildVersion"];
    const parsed = parseProxy({
      id: node["id"],
      cluster: node["cluster"],
      metadata: node["metadata"],
      locality: node["locality"],
      userAgentVersion: node["userAgentVersion"] ?? versionText(version),
    });
    if (!parsed.ok) {
      const problems = parsed.problems.map(({ path, message }) => `${path}: ${message}`);
      return { ok: false, message: `node: ${problems.join("; ")}` };
    }
    const form = formOf(node, parsed.proxy, options);
    const connection = new Connection(this.#heard(parsed.proxy, form), {
      onChange: options.onChange,
      onClose: () => this.#close(connection),
      form,
      address: addressOf(options.peer),
      secrets: options.secrets,
    });
    this.#connections.add(connection);
    this.#placed.add(connection);
    this.#place(connection);
    return { ok: true, view: connection };
  }

  /** Stock Envoy asks for single clusters on delta streams only. */
  #heard(proxy: Proxy, form: ClientForm): Proxy {
    if (proxy.isOnDemand === undefined || form === "discovered") return proxy;
    this.#options.log(
      `${proxy.id}: on-demand discovery needs Envoy's delta ADS: it gets everything`,
    );
    const { isOnDemand: _, ...rest } = proxy;
    return rest;
  }

  #close(connection: Connection): void {
    this.#connections.delete(connection);
    this.#placed.delete(connection);
    for (const { scope } of connection.states) this.#release(scope.key, connection);
  }

  /** Puts a connection into the scopes that it belongs to now; true if they are others than before. */
  #place(connection: Connection): boolean {
    const { outbound, workload } = scopesOf(this.#context, connection.proxy);
    const identified = connection.identify(isWorkload(this.#context, connection));
    const before = connection.states.map(({ scope }) => scope.key);
    if (before[0] === outbound.key && before[1] === workload.key) return identified;
    connection.states = [this.#use(outbound, connection), this.#use(workload, connection)];
    for (const key of before) {
      if (key !== outbound.key && key !== workload.key) this.#release(key, connection);
    }
    return true;
  }

  #use(scope: ProxyScope, connection: Connection): ScopeState {
    let shared = this.#scopes.get(scope.key);
    if (shared === undefined) {
      const state = new ScopeState(this.#context, scope, this.#interner);
      shared = { state, users: new Set() };
      this.#scopes.set(scope.key, shared);
    } else if (shared.users.size === 0) {
      this.#idle.delete(scope.key);
      this.#update(shared.state);
    }
    shared.users.add(connection);
    return shared.state;
  }

  /** An unused scope stays for a while: proxies reconnect, and pods are replaced by equal ones. */
  #release(key: ScopeKey, connection: Connection): void {
    const shared = this.#scopes.get(key);
    if (shared === undefined || !shared.users.delete(connection) || shared.users.size > 0) return;
    this.#idle.add(key);
    this.#clock.after(IDLE_MS, () => {
      if (this.#idle.has(key) && this.#scopes.get(key) === shared) this.#drop(key);
    });
    const [oldest] = this.#idle;
    if (this.#idle.size > MAX_IDLE && oldest !== undefined) this.#drop(oldest);
  }

  #drop(key: ScopeKey): void {
    this.#idle.delete(key);
    this.#scopes.delete(key);
  }

  #push(batch: readonly Change[], since: number): void {
    const previous = this.#context;
    const admitted = this.#started ? this.#halves.admit(batch, previous, this.#clock.now()) : batch;
    this.#resumeLater();
    const changes = admitted.filter((change) => isNews(change, previous));
    const next = updatePushContext(previous, changes);
    if (next === previous) return;
    this.#context = next;
    const examined =
      changes.length > MAX_EXAMINED
        ? undefined
        : changes.map((change) => ({ change, extent: extentOf(change, previous, next) }));
    const reached = new Set<Connection>();
    const report = { changes: changes.length, scopes: 0, changedScopes: 0, proxies: 0, ms: 0 };
    for (const { state, users } of this.#scopes.values()) {
      const concerned = this.#expire(state, previous, examined);
      if (users.size === 0) continue;
      if (concerned) report.scopes++;
      if (!this.#update(state)) continue;
      report.changedScopes++;
      for (const connection of users) reached.add(connection);
    }
    for (const connection of this.#moved(previous, examined)) {
      if (this.#place(connection)) reached.add(connection);
    }
    this.#options.onTell?.(changes, reached, since);
    for (const connection of reached) this.#tell(connection);
    report.proxies = reached.size;
    report.ms = this.#clock.now() - since;
    this.#options.onPush?.(report);
  }

  /** Changes that wait for their other half go on when their time is over. */
  #resumeLater(): void {
    const { dueMs } = this.#halves;
    if (dueMs === undefined || this.#resuming) return;
    this.#resuming = true;
    this.#clock.after(Math.max(1, dueMs - this.#clock.now()), () => {
      this.#resuming = false;
      this.#push([], this.#clock.now());
    });
  }

  /** Marks what may differ now in a scope; true if there is any. */
  #expire(
    state: ScopeState,
    previous: PushContext,
    examined: readonly ExaminedChange[] | undefined,
  ): boolean {
    if (examined === undefined) {
      state.expire(ALL_LISTS, "all");
      return true;
    }
    let concerned = false;
    for (const { change, extent } of examined) {
      const lists = impactOf(change, state.scope, previous, this.#context);
      if (lists.length === 0) continue;
      state.expire(lists, extent);
      concerned = true;
    }
    return concerned;
  }

  /** A failure in one scope leaves it as it was, and all others go on. */
  #update(state: ScopeState): boolean {
    try {
      return state.update(this.#context);
    } catch (error) {
      this.#options.log(`scope ${state.scope.key}: ${describe(error)}`);
      return false;
    }
  }

  #moved(
    previous: PushContext,
    examined: readonly ExaminedChange[] | undefined,
  ): Iterable<Connection> {
    if (examined === undefined) return this.#connections;
    const moved = new Set<Connection>();
    for (const { change } of examined) {
      const proxies = movedBy(change, previous, this.#context);
      if (proxies === "all") return this.#connections;
      if (proxies === "none") continue;
      for (const connection of this.#placed.find(proxies)) moved.add(connection);
    }
    return moved;
  }

  #tell(connection: Connection): void {
    try {
      connection.onChange();
    } catch (error) {
      this.#options.log(`${connection.proxyId}: ${describe(error)}`);
    }
  }
}

/** Sources send objects again whose part in the model is as before: a status, another field. */
function isNews(change: Change, context: PushContext): boolean {
  const known = objectOf(context, keyOfChange(change));
  if (change.type === "delete") return known !== undefined;
  return known === undefined || !isDeepStrictEqual(known, change.object);
}

function addressOf(peer: string | undefined): string | undefined {
  return peer?.replace(/:\d+$/, "").replace(/^\[?(?:::ffff:)?([^\]]*)\]?$/, "$1");
}

/** Until proxies prove who they are: nobody takes the address of another namespace's pod. */
function isWorkload(context: PushContext, { address, proxy }: Connection): boolean {
  if (address === undefined || !proxy.addresses.includes(address)) return false;
  const workloads = lookup(context.indexes.workloadsByAddress, address);
  return workloads.some((one) => one.namespace === proxy.namespace);
}

function withheldFrom({ address, proxy }: Connection): IrProblem {
  const pod = proxy.name.split(".")[0] ?? "";
  const message = `gets no certificates: it comes from ${address}, which is no workload of namespace ${proxy.namespace}`;
  return {
    object: `Pod/${proxy.namespace}/${pod}`,
    path: "",
    severity: "error",
    reason: "SecretsWithheld",
    message,
  };
}

function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

/** Virtual hosts by themselves (VHDS) need Envoy and its delta streams. */
function formOf(
  node: Record<string, unknown>,
  { metadata }: Proxy,
  { protocol }: OpenOptions,
): ClientForm {
  if (metadata["GENERATOR"] === "grpc") return "grpc";
  return node["userAgentName"] === "envoy" && protocol === "delta" ? "discovered" : "inline";
}

/** `BuildVersion` of a Node as `1.40.0`. */
function versionText(value: unknown): string | undefined {
  const version = (value as { version?: Record<string, unknown> } | undefined)?.version;
  if (version === undefined) return undefined;
  const part = (name: string): number => Number(version[name] ?? 0);
  return `${part("majorNumber")}.${part("minorNumber")}.${part("patch")}`;
}
