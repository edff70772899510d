import { STATUS } from "./grpc-frames.ts";
import type { DiscoveryRequest } from "./discovery-request.ts";
import { buildResponse } from "./discovery-response.ts";
import { HeldState } from "./held-state.ts";
import { noteDeltaInterest, noteSotwInterest } from "./interest.ts";
import type { AnswerQuestion } from "./question.ts";
import type { RequestMemory } from "./request-memory.ts";
import { PushGate } from "./push-gate.ts";
import { Subscription } from "./subscription.ts";
import type { Outstanding } from "./subscription-state.ts";
import { contentVersion, takeLackingContent, takeWholeContent } from "./response-content.ts";
import type { StreamEvents } from "./stream-events.ts";
import type { Protocol, SharedFrames } from "#pilot/cache/shared-frames.ts";
import {
  CLUSTER,
  ENDPOINTS,
  PUSH_ORDER,
  ROUTES,
  VIRTUAL_HOST,
  parseTypeUrl,
  ruleOf,
} from "#pilot/cache/type-url.ts";
import type { TypeUrl } from "#pilot/cache/type-url.ts";
import type { OpenView, ProxyView } from "#pilot/cache/view.ts";
import { decode } from "#pilot/proto/decode.ts";

export interface StreamOptions {
  protocol: Protocol;
  /** Of this process's streams: the first is 1. */
  number: number;
  /** `address:port` of the client, and the one that it has called. */
  peer: string;
  local: string;
  /** Names this server in every response. */
  controlPlane: string;
  openView: OpenView;
  frames: SharedFrames;
  requests: RequestMemory;
  events: StreamEvents;
  /** Answers requests of types that aren't resources. */
  answer?: AnswerQuestion;
  log: (line: string) => void;
  /** Milliseconds, monotonic. */
  now: () => number;
  send: (parts: readonly Buffer[]) => void;
  end: (code: number, message: string) => void;
}

/** Clients may name resources that don't exist; more than this many names end the stream. */
const MAX_NAMES = 100_000;

/**
 * One ADS stream of one proxy, in either variant ("xDS REST and gRPC protocol" in Envoy's docs). It is
 * driven by requests and by changes of its view, and sends each type's newest state whenever the
 * client has answered the previous one.
 */
export class DiscoveryStream {
  readonly protocol: Protocol;
  readonly number: number;
  readonly peer: string;
  readonly connectedAt: Date = new Date();
  readonly #options: StreamOptions;
  readonly #subscriptions = new Map<TypeUrl, Subscription>();
  readonly #gate: PushGate;
  readonly #openedAt: number;
  /** Of types whose responses carry everything. */
  readonly #held = new Map<TypeUrl, HeldState>();
  readonly #ignored = new Set<string>();
  #view: ProxyView | undefined;
  #nonce = 0;
  #dirtySince: number | undefined;
  #ended = false;

  constructor(options: StreamOptions) {
    this.#options = options;
    this.#openedAt = options.now();
    this.#gate = new PushGate(this.#subscriptions, this.#openedAt);
    this.protocol = options.protocol;
    this.number = options.number;
    this.peer = options.peer;
  }

  get view(): ProxyView | undefined {
    return this.#view;
  }

  get subscriptions(): ReadonlyMap<TypeUrl, Subscription> {
    return this.#subscriptions;
  }

  /** A moment of the stream's clock as a date. */
  dateOf(moment: number | undefined): Date | undefined {
    if (moment === undefined) return undefined;
    return new Date(this.connectedAt.getTime() + moment - this.#openedAt);
  }

  onMessage(bytes: Buffer): void {
    if (this.#ended) return;
    let request: DiscoveryRequest;
    try {
      request = this.#options.requests.parse(this.protocol, bytes);
      if (this.#answers(request)) return;
      if (this.#view === undefined && !this.#open(request)) return;
    } catch (error) {
      this.#end(STATUS.INVALID_ARGUMENT, `bad request: ${String(error)}`);
      return;
    }
    const type = parseTypeUrl(request.typeUrl);
    if (type === undefined) this.#ignore(request.typeUrl);
    else {
      this.#accept(type, request);
      this.flush();
    }
  }

  /** Tables of the view have changed. */
  onChange(): void {
    this.#dirtySince ??= this.#options.now();
    this.flush();
  }

  /** Sends whatever may be sent now. */
  flush(): void {
    const view = this.#view;
    if (view === undefined || this.#ended) return;
    for (const [type, subscription] of this.#subscriptions) {
      if (!subscription.catchUp(view.tables(type))) {
        this.#end(STATUS.UNAVAILABLE, "too far behind: connect again");
        return;
      }
    }
    for (const type of PUSH_ORDER) {
      const subscription = this.#subscriptions.get(type);
      if (subscription !== undefined && subscription.outstanding === undefined) {
        this.#push(subscription, view);
      }
    }
    this.#noteConvergence();
  }

  /** To be called about once a second: waiting for a client has an end. */
  tick(): void {
    if (this.#gate.expire(this.#options.now())) this.flush();
  }

  onEnd(): void {
    this.#ended = true;
    for (const subscription of this.#subscriptions.values()) subscription.close();
    this.#view?.close();
  }

  /** Ends the stream; the client will connect again. */
  disconnect(message: string): void {
    this.#end(STATUS.UNAVAILABLE, message);
  }

  #end(code: number, message: string): void {
    this.#ended = true;
    this.#options.log(`${this.#view?.proxyId ?? this.peer}: ended: ${message}`);
    this.#options.end(code, message);
  }

  #open(request: DiscoveryRequest): boolean {
    if (request.node === undefined) {
      this.#end(STATUS.INVALID_ARGUMENT, "the first request must say who asks: node is missing");
      return false;
    }
    const node = decode("envoy.config.core.v3.Node", request.node);
    const { protocol, peer } = this;
    const onChange = (): void => this.onChange();
    const opened = this.#options.openView(node, { protocol, peer, onChange });
    if (opened.ok) this.#view = opened.view;
    else this.#end(STATUS.INVALID_ARGUMENT, opened.message);
    return opened.ok;
  }

  /** True if the request is a question about this server, which needs no view of the mesh. */
  #answers(request: DiscoveryRequest): boolean {
    const { typeUrl, names } = request;
    const { answer, send, local } = this.#options;
    const result = answer?.({ typeUrl, names, peer: this.peer, local });
    if (result === undefined) return false;
    // What acknowledges an answer asks nothing; istioctl puts a nonce of its own into its question.
    if (/^\d+$/.test(request.nonce) && Number(request.nonce) <= this.#nonce) return true;
    if (!result.ok) this.#end(result.code, result.message);
    else {
      const nonce = String(++this.#nonce);
      const { controlPlane } = this.#options;
      const head = { type: typeUrl, nonce, version: nonce, controlPlane, removed: [] };
      send(buildResponse(this.protocol, result.fields(this.protocol), head));
    }
    return true;
  }

  #ignore(typeUrl: string): void {
    if (this.#ignored.has(typeUrl) || this.#ignored.size > 32) return;
    this.#ignored.add(typeUrl);
    const shown = JSON.stringify(typeUrl.slice(0, 200));
    this.#options.log(
      `${this.#view?.proxyId}: ${shown} is not served; requests for it are ignored`,
    );
  }

  #accept(type: TypeUrl, request: DiscoveryRequest): void {
    const known = this.#subscriptions.get(type);
    if (known === undefined) {
      this.#subscribe(this.#create(type, request), request, true);
      return;
    }
    if (request.nonce !== "") this.#settle(known, request);
    // State of the world: names that answer an older response will come again with the newest nonce.
    const stale = request.nonce !== "" && request.nonce !== known.sentNonce;
    if (this.protocol === "sotw" && stale) return;
    this.#subscribe(known, request, false);
  }

  #create(type: TypeUrl, request: DiscoveryRequest): Subscription {
    // A reconnected client needs the endpoints of a cluster that it has just got even if it has them.
    if (type === ENDPOINTS)
      for (const name of this.#gate.awaited) request.initialVersions.delete(name);
    const tables = this.#view?.tables(type) ?? [];
    const subscription = new Subscription(type, tables, {
      known: request.initialVersions,
      onRecovered: (rejection) => this.#options.events.recovered(rejection),
      ...(type === VIRTUAL_HOST ? { admits: (name) => this.#admitsVirtualHost(name) } : {}),
    });
    this.#subscriptions.set(type, subscription);
    if (this.protocol === "sotw" && ruleOf(type).fullState) {
      const held = new HeldState();
      this.#held.set(type, held);
      // It has come back from another stream, and has all there is.
      const { frames } = this.#options;
      const { names, version } = request;
      if (names.length === 0 && version !== "" && version === contentVersion(tables, frames)) {
        subscription.assumeAll();
        held.accept(tables.map((table) => frames.all(table, "sotw").resources));
      }
    }
    return subscription;
  }

  /** Envoy drops virtual hosts of route configurations that it doesn't have yet. */
  #admitsVirtualHost(name: string): boolean {
    return this.#subscriptions.get(ROUTES)?.names.has(routeOf(name)) ?? false;
  }

  #subscribe(subscription: Subscription, request: DiscoveryRequest, first: boolean): void {
    const added =
      this.protocol === "sotw"
        ? noteSotwInterest(subscription, request)
        : noteDeltaInterest(subscription, request, first);
    if (subscription.names.size > MAX_NAMES) {
      this.#end(STATUS.RESOURCE_EXHAUSTED, `more than ${MAX_NAMES} names of ${subscription.type}`);
    }
    if (added.length > 0 && subscription.type === ROUTES) this.#sendVirtualHostsOf(new Set(added));
  }

  #sendVirtualHostsOf(routes: ReadonlySet<string>): void {
    const subscription = this.#subscriptions.get(VIRTUAL_HOST);
    if (subscription === undefined) return;
    for (const table of this.#view?.tables(VIRTUAL_HOST) ?? []) {
      const names = [...table.resources()].map((resource) => resource.name);
      subscription.resend(names.filter((name) => routes.has(routeOf(name))));
    }
  }

  #settle(subscription: Subscription, request: DiscoveryRequest): void {
    const settled = subscription.settle(request.nonce);
    const view = this.#view;
    if (settled === undefined || view === undefined) return;
    this.#gate.settled(subscription.type, settled, request.error !== undefined);
    const { type } = subscription;
    const { resources, removed, nonce } = settled;
    if (request.error === undefined) {
      subscription.ackedNonce = nonce;
      subscription.accepted();
      subscription.substitutes.accepted(resources);
      if (settled.whole !== undefined) this.#held.get(type)?.accept(settled.whole);
      const afterMs = this.#options.now() - settled.sentAt;
      this.#options.events.acknowledged({ view, type, resources, removed, afterMs });
      return;
    }
    if (subscription.retry(settled)) return;
    const [culprit] = resources;
    if (subscription.substitutes.refused(culprit)) return;
    const { message } = request.error;
    const instead = culprit?.isPatched && view.unpatched?.(type, culprit.name);
    const isReplaced = instead !== undefined && subscription.substitutes.offer(instead);
    const rejection = { proxyId: view.proxyId, type, nonce, message, resources, isReplaced };
    subscription.refuse(rejection);
    this.#options.events.rejected(rejection);
  }

  #push(subscription: Subscription, view: ProxyView): void {
    const { type } = subscription;
    const adds = subscription.hasMore || subscription.mustAnswer;
    if (adds && !this.#gate.mayAdd(type)) return;
    const alone = type !== CLUSTER || !adds;
    const removes = subscription.removed.size > 0 && alone && this.#gate.mayRemove(type);
    if (!adds && !removes && !subscription.hasAbsent) return;
    subscription.mustAnswer = false;
    const absent = subscription.takeAbsent();
    const removed = removes ? [...subscription.takeRemoved(), ...absent] : absent;
    const held = this.#held.get(type);
    const { protocol } = this;
    const sources = { tables: view.tables(type), frames: this.#options.frames, protocol };
    const { resources, fields, version, whole } =
      held === undefined
        ? takeLackingContent(subscription, sources)
        : takeWholeContent(subscription, held, sources);
    const nonce = String(++this.#nonce);
    const { controlPlane } = this.#options;
    const head = { type, nonce, version, controlPlane, removed };
    const parts = buildResponse(protocol, fields, head);
    const sentAt = this.#options.now();
    const sent: Outstanding = { nonce, sentAt, resources, removed, ...(whole && { whole }) };
    subscription.outstanding = sent;
    subscription.sentNonce = nonce;
    subscription.lastSentAt = sentAt;
    this.#gate.sent(type, sent);
    const bytes = parts.reduce((sum, part) => sum + part.length, 0);
    this.#options.events.sent(type, bytes);
    this.#options.send(parts);
  }

  #noteConvergence(): void {
    if (this.#dirtySince === undefined) return;
    for (const { outstanding, hasMore, removed } of this.#subscriptions.values()) {
      if (outstanding !== undefined || hasMore || removed.size > 0) return;
    }
    const afterMs = this.#options.now() - this.#dirtySince;
    if (this.#view !== undefined) this.#options.events.converged(this.#view, afterMs);
    this.#dirtySince = undefined;
  }
}

/** A virtual host that is discovered on its own is named `ROUTE/anything`. */
function routeOf(name: string): string {
  return name.slice(0, name.indexOf("/"));
}
