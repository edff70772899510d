import { STATUS } from "./grpc-frames.ts";
import { parseRequest } from "./discovery-request.ts";
import type { DiscoveryRequest } from "./discovery-request.ts";
import { buildResponse } from "./discovery-response.ts";
import { PushGate } from "./push-gate.ts";
import { MAX_NAMES, Subscription } from "./subscription.ts";
import type { Outstanding } from "./subscription.ts";
import type { EncodedResource } from "#pilot/cache/resource.ts";
import { joinFrames } from "#pilot/cache/shared-frames.ts";
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

/** A client has refused a response; what it had before stays in force there. */
export interface Rejection {
  proxyId: string;
  type: TypeUrl;
  nonce: string;
  message: string;
  resources: readonly EncodedResource[];
}

/** What the outside hears of streams: metrics, logs, statuses. */
export interface StreamEvents {
  sent(type: TypeUrl, bytes: number): void;
  acked(type: TypeUrl, afterMs: number): void;
  rejected(rejection: Rejection): void;
  /** All that a change made necessary is acknowledged, so long after it was noticed. */
  converged(afterMs: number): void;
}

export interface StreamOptions {
  protocol: Protocol;
  peer: string;
  openView: OpenView;
  frames: SharedFrames;
  events: StreamEvents;
  log: (line: string) => void;
  /** Milliseconds, monotonic. */
  now: () => number;
  send: (parts: readonly Buffer[]) => void;
  end: (code: number, message: string) => void;
}

/** Fewer fields than this are sent as they are, more are copied into one piece. */
const LOOSE_FIELDS = 8;

/**
 * One ADS stream of one proxy, in either variant ("xDS REST and gRPC protocol" in Envoy's docs). It is
 * driven by requests and by changes of its view, and sends each type's newest state whenever the
 * client has answered the previous one.
 */
export class DiscoveryStream {
  readonly protocol: Protocol;
  readonly peer: string;
  readonly connectedAt: Date = new Date();
  readonly #options: StreamOptions;
  readonly #subscriptions = new Map<TypeUrl, Subscription>();
  readonly #gate: PushGate;
  readonly #ignored = new Set<string>();
  #view: ProxyView | undefined;
  #nonce = 0;
  #dirtySince: number | undefined;
  #ended = false;

  constructor(options: StreamOptions) {
    this.#options = options;
    this.#gate = new PushGate(this.#subscriptions, options.now());
    this.protocol = options.protocol;
    this.peer = options.peer;
  }

  get view(): ProxyView | undefined {
    return this.#view;
  }

  get subscriptions(): ReadonlyMap<TypeUrl, Subscription> {
    return this.#subscriptions;
  }

  onMessage(bytes: Buffer): void {
    if (this.#ended) return;
    let request: DiscoveryRequest;
    try {
      request = parseRequest(this.protocol, bytes);
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
    const { protocol } = this;
    const opened = this.#options.openView(node, { protocol, onChange: () => this.onChange() });
    if (opened.ok) this.#view = opened.view;
    else this.#end(STATUS.INVALID_ARGUMENT, opened.message);
    return opened.ok;
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
    const admits =
      type === VIRTUAL_HOST ? (name: string) => this.#admitsVirtualHost(name) : undefined;
    // A reconnected client needs the endpoints of a cluster that it has just got even if it has them.
    if (type === ENDPOINTS)
      for (const name of this.#gate.awaited) request.initialVersions.delete(name);
    const subscription = new Subscription(type, this.#view?.tables(type) ?? [], {
      known: request.initialVersions,
      admits,
    });
    this.#subscriptions.set(type, subscription);
    return subscription;
  }

  /** Envoy drops virtual hosts of route configurations that it doesn't have yet. */
  #admitsVirtualHost(name: string): boolean {
    return this.#subscriptions.get(ROUTES)?.names.has(routeOf(name)) ?? false;
  }

  #subscribe(subscription: Subscription, request: DiscoveryRequest, first: boolean): void {
    const asked = request.names.filter((name) => name !== "*");
    const star = asked.length < request.names.length;
    const names = this.protocol === "sotw" ? new Set(asked) : undefined;
    const added =
      names === undefined ? asked : asked.filter((name) => !subscription.names.has(name));
    if (names !== undefined) {
      subscription.unsubscribe([...subscription.names].filter((name) => !names.has(name)));
    } else if (request.unsubscribe.length > 0) {
      if (request.unsubscribe.includes("*")) subscription.unsubscribeAll();
      subscription.unsubscribe(request.unsubscribe);
    }
    const unnamed = first && request.names.length === 0 && ruleOf(subscription.type).wildcard;
    if (unnamed || (star && (names === undefined || !subscription.wildcard))) {
      subscription.subscribeAll();
    }
    if (added.length === 0) return;
    subscription.subscribe(added);
    if (subscription.names.size > MAX_NAMES) {
      this.#end(STATUS.RESOURCE_EXHAUSTED, `more than ${MAX_NAMES} names of ${subscription.type}`);
    }
    if (subscription.type === ROUTES) this.#sendVirtualHostsOf(new Set(added));
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
    if (settled === undefined) return;
    this.#gate.settled(subscription.type, settled, request.error !== undefined);
    const { type } = subscription;
    if (request.error === undefined) {
      subscription.ackedNonce = settled.nonce;
      this.#options.events.acked(type, this.#options.now() - settled.sentAt);
      return;
    }
    // State of the world: a response is all there is, in parts it would take away the rest.
    if (this.protocol === "delta" && subscription.retry(settled)) return;
    this.#options.events.rejected({
      proxyId: this.#view?.proxyId ?? "",
      type,
      nonce: settled.nonce,
      message: request.error.message,
      resources: settled.resources,
    });
  }

  #push(subscription: Subscription, view: ProxyView): void {
    const { type } = subscription;
    const adds = subscription.hasMore || subscription.mustAnswer;
    if (adds && !this.#gate.mayAdd(type)) return;
    const alone = type !== CLUSTER || !adds;
    const removes = subscription.removed.size > 0 && alone && this.#gate.mayRemove(type);
    if (!adds && !removes) return;
    subscription.mustAnswer = false;
    const removed = removes ? subscription.takeRemoved() : [];
    const { resources, fields } =
      this.protocol === "sotw" && ruleOf(type).fullState
        ? this.#fullState(subscription, view)
        : this.#lacking(subscription);
    const nonce = String(++this.#nonce);
    const version = view
      .tables(type)
      .map((table) => table.head)
      .join(".");
    const parts = buildResponse(this.protocol, fields, { type, nonce, version, removed });
    const sent: Outstanding = { nonce, sentAt: this.#options.now(), resources, removed };
    subscription.outstanding = sent;
    subscription.sentNonce = nonce;
    this.#gate.sent(type, sent);
    this.#options.events.sent(
      type,
      parts.reduce((sum, part) => sum + part.length, 0),
    );
    this.#options.send(parts);
  }

  #lacking(subscription: Subscription): { resources: EncodedResource[]; fields: Buffer[] } {
    const { protocol } = this;
    const suspects = subscription.takeSuspects();
    if (suspects !== undefined) {
      return { resources: suspects, fields: suspects.map((one) => one.deltaField) };
    }
    const whole = subscription
      .takeWholeTables()
      .map((table) => this.#options.frames.all(table, protocol));
    const rest = subscription.takeLacking();
    const loose =
      rest.length > LOOSE_FIELDS
        ? [joinFrames(rest, protocol).bytes]
        : rest.map((one) => (protocol === "delta" ? one.deltaField : one.field));
    return {
      resources:
        whole.length === 0 ? rest : [...whole.flatMap((frames) => frames.resources), ...rest],
      fields: [...whole.map((frames) => frames.bytes), ...loose],
    };
  }

  /** Everything, with removed resources as long as their turn has not come; tells what is new. */
  #fullState(
    subscription: Subscription,
    view: ProxyView,
  ): { resources: EncodedResource[]; fields: Buffer[] } {
    const changed = subscription.takeLacking();
    const tables = view.tables(subscription.type);
    const kept = [...subscription.removed].flatMap((name) =>
      tables.flatMap((table) => table.lastOf(name) ?? []),
    );
    if (subscription.wildcard) {
      const frames = tables.map((table) => this.#options.frames.all(table, "sotw"));
      return {
        resources: changed,
        fields: [...frames.map((one) => one.bytes), ...kept.map((resource) => resource.field)],
      };
    }
    const resources = tables.flatMap((table) =>
      [...table.resources()].filter((resource) => subscription.wants(resource.name)),
    );
    return { resources: changed, fields: resources.map((resource) => resource.field) };
  }

  #noteConvergence(): void {
    if (this.#dirtySince === undefined) return;
    for (const { outstanding, hasMore, removed } of this.#subscriptions.values()) {
      if (outstanding !== undefined || hasMore || removed.size > 0) return;
    }
    this.#options.events.converged(this.#options.now() - this.#dirtySince);
    this.#dirtySince = undefined;
  }
}

/** A virtual host that is discovered on its own is named `ROUTE/anything`. */
function routeOf(name: string): string {
  return name.slice(0, name.indexOf("/"));
}
