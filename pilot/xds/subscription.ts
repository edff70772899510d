import { Isolation } from "./isolation.ts";
import type { Rejection } from "./stream-events.ts";
import { LackingNames, WantedNames, tableOf } from "./names.ts";
import { Substitutes } from "./substitutes.ts";
import type { Outstanding, SubscriptionOptions, SyncState } from "./subscription-state.ts";
import type { EncodedResource } from "#pilot/cache/resource.ts";
import type { ResourceTable, TableReader } from "#pilot/cache/table.ts";
import type { TypeUrl } from "#pilot/cache/type-url.ts";

/**
 * What one stream wants of one type and what of that it still lacks. Content is not kept: positions
 * in the shared tables, and the names whose turn is next.
 */
export class Subscription implements TableReader {
  readonly type: TypeUrl;
  wildcard = false;
  /** State of the world: none at all no longer means everything. */
  everNamed = false;
  readonly names = new WantedNames();
  readonly substitutes = new Substitutes();
  outstanding: Outstanding | undefined;
  /** The last response that was accepted, and the last that was sent (for syncz). */
  ackedNonce = "";
  sentNonce = "";
  /** Milliseconds on the stream's clock. */
  lastSentAt: number | undefined;
  /** The first request gets an answer even if there is nothing to say. */
  mustAnswer: boolean;
  readonly #admits: (name: string) => boolean;
  readonly #admitsAll: boolean;
  readonly #onRecovered: (rejection: Rejection) => void;
  readonly #isolation = new Isolation();
  readonly #cursors = new Map<ResourceTable, number>();
  readonly #lacking = new LackingNames();
  readonly #removed = new Set<string>();
  /** Asked for, never there: that can be told whatever else is on its way. */
  readonly #absent = new Set<string>();
  /** What a reconnected client has, for names that this stream hasn't looked at yet. */
  readonly #known: Map<string, string>;
  #reconnected: boolean;
  /** By resource; the empty name stands for a response that no resource is to blame for. */
  readonly #refused = new Map<string, Rejection>();

  constructor(type: TypeUrl, tables: readonly ResourceTable[], options: SubscriptionOptions) {
    this.type = type;
    this.#known = options.known;
    this.#reconnected = options.known.size > 0;
    this.mustAnswer = !this.#reconnected;
    this.#admits = options.admits ?? (() => true);
    this.#admitsAll = options.admits === undefined;
    this.#onRecovered = options.onRecovered ?? (() => undefined);
    for (const table of tables) this.#join(table);
  }

  /** Must be called at the end: tables keep removals for their readers. */
  close(): void {
    for (const table of this.#cursors.keys()) table.readers.delete(this);
    this.#cursors.clear();
    for (const name of this.#refused.keys()) this.#forgive(name);
  }

  get state(): SyncState {
    if (this.#refused.size > 0) return "error";
    if (this.outstanding !== undefined || this.hasMore || this.#removed.size > 0) return "stale";
    return this.sentNonce !== "" || this.#reconnected ? "synced" : "not-sent";
  }

  /** What the client refuses now. */
  get refusals(): Iterable<Rejection> {
    return this.#refused.values();
  }

  get hasRefusals(): boolean {
    return this.#refused.size > 0;
  }

  get removed(): ReadonlySet<string> {
    return this.#removed;
  }

  /** Whether resources wait to be sent: for the first time, or again after a refusal. */
  get hasMore(): boolean {
    return !this.#lacking.isEmpty || this.#isolation.size > 0 || this.substitutes.size > 0;
  }

  /**
   * A response was refused, and with it everything in it: that is sent again in parts, removals with
   * the next of them. False: the culprit is found; it is sent again when it changes.
   */
  retry({ resources, removed }: Outstanding): boolean {
    const gone = (name: string): boolean => this.wants(name) && this.#find(name) === undefined;
    // Removals that were refused by themselves would be so again.
    if (resources.length > 0) for (const name of removed.filter(gone)) this.#removed.add(name);
    return this.#isolation.divide(resources.map(({ name }) => name));
  }

  /** The next part of a refused response with the content of now, to be sent alone. */
  takeSuspects(): EncodedResource[] | undefined {
    return this.#isolation.take()?.flatMap((name) => {
      this.#lacking.delete(name);
      return (this.wants(name) ? this.#find(name) : undefined) ?? [];
    });
  }

  /** The culprit of a response, or the response itself, stays refused until something changes. */
  refuse(rejection: Rejection): void {
    this.#refused.set(rejection.resources[0]?.name ?? "", rejection);
  }

  /** A response was accepted: whatever the client found wrong with none in particular is over. */
  accepted(): void {
    this.#forgive("");
  }

  /** Whether the client has refused, or not yet been shown, this content. */
  isDoubtful({ name, version }: EncodedResource): boolean {
    if (this.#lacking.has(name) || this.#isolation.holds(name)) return true;
    return this.#refused.get(name)?.resources.some((one) => one.version === version) ?? false;
  }

  /** How far this stream has come in a table; what lies before can be forgotten. */
  positionIn(table: ResourceTable): number | undefined {
    return this.#cursors.get(table);
  }

  wants(name: string): boolean {
    if (this.names.has(name)) return this.#admits(name);
    return this.wildcard && !this.#mustBeNamed(name) && this.#admits(name);
  }

  /** Everything that exists is wanted; what the client has already isn't sent again. */
  subscribeAll(): void {
    this.wildcard = true;
    const isNew = this.#isNew;
    for (const table of this.#cursors.keys()) {
      if (table.onDemand) continue;
      if (isNew) this.#lacking.addAll(table);
      for (const resource of isNew ? [] : table.resources()) {
        if (!this.names.has(resource.name)) this.#lack(resource);
      }
    }
    for (const name of this.#known.keys()) {
      const isLost = this.#find(name) === undefined || this.#mustBeNamed(name);
      if (isLost && !this.names.has(name) && this.#admits(name)) this.#drop(name);
    }
  }

  unsubscribeAll(): void {
    this.wildcard = false;
    for (const name of [...this.#lacking.names(), ...this.#removed]) {
      if (!this.names.has(name)) this.#forget(name);
    }
    for (const name of this.#refused.keys()) if (!this.names.has(name)) this.#forgive(name);
  }

  /** A client that reconnects has everything that exists, as it is now. */
  assumeAll(): void {
    this.wildcard = true;
    this.mustAnswer = false;
    this.#reconnected = true;
  }

  /** A name that is wanted already is sent again: the client has lost it. */
  subscribe(names: readonly string[]): void {
    const whole = this.#isNew ? tableOf(names, this.#cursors.keys()) : undefined;
    if (whole !== undefined) {
      this.names.begin(names);
      this.#lacking.addAll(whole);
      return;
    }
    for (const name of names) {
      const resource = this.#find(name);
      // Tables keep one string a name; a copy for each stream would be the largest part of it.
      this.names.add(resource?.name ?? name);
      if (resource !== undefined) this.#lack(resource);
      else if (this.#known.has(name)) this.#drop(name);
      else this.#absent.add(name);
    }
  }

  /**
   * A name that everything includes is sent once more, or told to be gone: its client can't know
   * which ("xDS REST and gRPC protocol", Unsubscribing From Resources).
   */
  unsubscribe(names: readonly string[]): void {
    for (const name of names) {
      if (!this.names.delete(name)) continue;
      if (!this.wildcard) this.#forget(name);
      else if (this.#find(name) === undefined || this.#mustBeNamed(name)) this.#drop(name);
      else this.#lacking.add(name);
    }
  }

  /** The same where each response carries all that is wanted. */
  forgetNames(names: readonly string[]): void {
    for (const name of names) {
      this.names.delete(name);
      if (!this.wildcard) this.#forget(name);
    }
  }

  /** Sends these again, or for the first time since they are admitted, if they exist and are wanted. */
  resend(names: Iterable<string>): void {
    for (const name of names) {
      const resource = this.wants(name) ? this.#find(name) : undefined;
      if (resource !== undefined) this.#lack(resource);
    }
  }

  /**
   * Notes what has changed in the tables since the last time. False: this stream is so far behind
   * that removals were forgotten, and can only start anew.
   */
  catchUp(tables: readonly ResourceTable[]): boolean {
    this.#followMove(tables);
    for (const table of tables) {
      const position = this.#cursors.get(table) ?? 0;
      if (position === table.head) continue;
      this.#lacking.spread(table, (name) => this.wants(name));
      const delta = table.since(position);
      if (delta === undefined) return false;
      for (const { name } of delta.changed) {
        if (!this.wants(name)) continue;
        this.#removed.delete(name);
        this.#lacking.add(name);
      }
      for (const { name } of delta.removed) {
        if (table.onDemand && !this.names.has(name)) continue;
        if (this.#hasLost(name)) this.#drop(name);
      }
      this.#cursors.set(table, table.head);
    }
    return true;
  }

  /** The resources that are lacking, which from now on count as sent. */
  takeLacking(): EncodedResource[] {
    const resources: EncodedResource[] = [];
    for (const name of this.#lacking.names()) {
      const resource = this.#find(name);
      if (resource !== undefined) resources.push(resource);
    }
    for (const name of this.#refused.keys()) if (this.#lacking.has(name)) this.#forgive(name);
    this.#lacking.clear();
    return resources;
  }

  takeRemoved(): string[] {
    const names = [...this.#removed];
    this.#removed.clear();
    return names;
  }

  /** Whether the client must be told of names that don't exist. */
  get hasAbsent(): boolean {
    return this.#absent.size > 0;
  }

  takeAbsent(): string[] {
    const names = [...this.#absent].filter((name) => this.#find(name) === undefined);
    this.#absent.clear();
    return names;
  }

  /** The tables of which every resource is lacking; their content then counts as sent. */
  takeWholeTables(): ResourceTable[] {
    const whole: ResourceTable[] = [];
    for (const table of this.#cursors.keys()) {
      if (!this.#lacking.takeAll(table)) continue;
      for (const name of this.#refused.keys())
        if (table.get(name) !== undefined) this.#forgive(name);
      whole.push(table);
    }
    return whole;
  }

  /** The answer to a nonce: the response that it ends, if that is the one outstanding. */
  settle(nonce: string): Outstanding | undefined {
    const settled = this.outstanding;
    if (settled === undefined || settled.nonce !== nonce) return undefined;
    this.outstanding = undefined;
    return settled;
  }

  #join(table: ResourceTable): void {
    this.#cursors.set(table, table.head);
    table.readers.add(this);
  }

  #find(name: string): EncodedResource | undefined {
    for (const table of this.#cursors.keys()) {
      const resource = table.get(name);
      if (resource !== undefined) return resource;
    }
    return undefined;
  }

  /** It isn't part of everything. */
  #mustBeNamed(name: string): boolean {
    let isThere = false;
    for (const table of this.#cursors.keys()) {
      if (table.get(name) === undefined) continue;
      if (!table.onDemand) return false;
      isThere = true;
    }
    return isThere;
  }

  /**
   * Of something that the client had: it is in none of the tables any more (a secret may be in
   * another one too), or it is to be asked for from now on.
   */
  #hasLost(name: string): boolean {
    if (this.#find(name) === undefined) return this.wants(name);
    return this.wildcard && !this.names.has(name) && this.#mustBeNamed(name);
  }

  /** The client has named nothing and has nothing: all that is wanted is lacking. */
  get #isNew(): boolean {
    return this.#admitsAll && this.#known.size + this.#removed.size + this.names.size === 0;
  }

  #lack(resource: EncodedResource): void {
    if (!this.#admits(resource.name)) return;
    this.#removed.delete(resource.name);
    const known = this.#known.get(resource.name);
    if (known !== undefined) {
      this.#known.delete(resource.name);
      if (resource.isPatched === true) this.substitutes.hold(resource.name, known);
    }
    if (known !== resource.version) this.#lacking.add(resource.name);
  }

  #drop(name: string): void {
    this.#lacking.delete(name);
    this.#removed.add(name);
    this.substitutes.forget(name);
    this.#forgive(name);
  }

  #forget(name: string): void {
    this.#absent.delete(name);
    this.#lacking.delete(name);
    this.#removed.delete(name);
    this.substitutes.forget(name);
    this.#forgive(name);
  }

  #forgive(name: string): void {
    this.substitutes.withdraw(name);
    const rejection = this.#refused.get(name);
    if (rejection === undefined) return;
    this.#refused.delete(name);
    this.#onRecovered(rejection);
  }

  /** The proxy has come into another class: what differs between the tables is what it lacks. */
  #followMove(tables: readonly ResourceTable[]): void {
    const left = [...this.#cursors.keys()].filter((table) => !tables.includes(table));
    const joined = tables.filter((table) => !this.#cursors.has(table));
    if (left.length === 0 && joined.length === 0) return;
    for (const table of left) this.#lacking.spread(table);
    const had = new Map<string, string>();
    for (const table of left) {
      const current = this.#cursors.get(table) === table.head;
      for (const { name, version } of table.resources()) {
        if (!table.onDemand || this.names.has(name)) had.set(name, current ? version : "");
      }
      for (const { name } of table.since(this.#cursors.get(table) ?? 0)?.removed ?? []) {
        had.set(name, "");
      }
      this.#cursors.delete(table);
      table.readers.delete(this);
    }
    for (const table of joined) {
      this.#join(table);
      for (const { name, version } of table.resources()) {
        if (!this.wants(name)) continue;
        const unchanged = had.get(name) === version && !this.#lacking.has(name);
        if (!unchanged) this.#lacking.add(name);
        this.#removed.delete(name);
      }
    }
    for (const name of had.keys()) if (this.#hasLost(name)) this.#drop(name);
  }
}
