import type { Outstanding } from "./subscription-state.ts";
import type { Subscription } from "./subscription.ts";
import {
  CLUSTER,
  ENDPOINTS,
  LISTENER,
  ROUTES,
  VIRTUAL_HOST,
  ruleOf,
} from "#pilot/cache/type-url.ts";
import type { TypeUrl } from "#pilot/cache/type-url.ts";

/** A client that doesn't ask for the endpoints of a new cluster holds routes back no longer. */
const MAX_WAIT_MS = 5000;
/** A reconnected client asks for its routes again within this time, or doesn't want any. */
const RESUBSCRIBE_MS = 1000;

/**
 * Make before break, for one stream: routes go out when the clusters they may name are ready at the
 * proxy, and clusters (with their endpoints) are removed when no route can name them any more.
 */
export class PushGate {
  readonly #subscriptions: ReadonlyMap<TypeUrl, Subscription>;
  /** Endpoint resources without which clusters that were sent aren't ready. */
  readonly #awaited = new Set<string>();
  #awaitedSince = 0;
  #openedAt: number | undefined;

  /** `now` is when the stream was opened. */
  constructor(subscriptions: ReadonlyMap<TypeUrl, Subscription>, now: number) {
    this.#subscriptions = subscriptions;
    this.#openedAt = now;
  }

  /** Endpoint resources that clusters on their way wait for. */
  get awaited(): ReadonlySet<string> {
    return this.#awaited;
  }

  /** Whether new and changed resources of this type may be sent. */
  mayAdd(type: TypeUrl): boolean {
    if (!ruleOf(type).afterClusters) return true;
    if (!this.#isQuiet(CLUSTER) || this.#awaited.size > 0) return false;
    return type !== VIRTUAL_HOST || this.#isQuiet(ROUTES);
  }

  /** Whether removals of this type may be sent. */
  mayRemove(type: TypeUrl): boolean {
    if (type !== CLUSTER && type !== ENDPOINTS) return true;
    const reconnecting = this.#openedAt !== undefined && !this.#subscriptions.has(ROUTES);
    if (type === CLUSTER && reconnecting) return false;
    return [LISTENER, ROUTES, VIRTUAL_HOST].every((other) => this.#isQuiet(other));
  }

  /**
   * Notes a response. A cluster that is sent again waits for its endpoints again, even if they are the
   * same: they are sent after it (Envoy warms a changed cluster like a new one).
   */
  sent(type: TypeUrl, response: Outstanding): void {
    if (type !== CLUSTER) return;
    const again: string[] = [];
    const endpoints = this.#subscriptions.get(ENDPOINTS);
    if (this.#awaited.size === 0) this.#awaitedSince = response.sentAt;
    for (const { endpoints: name } of response.resources) {
      if (name === undefined) continue;
      this.#awaited.add(name);
      if (endpoints?.names.has(name) === true) again.push(name);
    }
    endpoints?.resend(again);
  }

  /** Notes the client's answer to a response. */
  settled(type: TypeUrl, response: Outstanding, rejected: boolean): void {
    if (type === ENDPOINTS) {
      for (const { name } of response.resources) this.#awaited.delete(name);
      for (const name of response.removed) this.#awaited.delete(name);
    }
    if (type !== CLUSTER || !rejected) return;
    for (const { endpoints } of response.resources) {
      if (endpoints !== undefined) this.#awaited.delete(endpoints);
    }
  }

  /** Gives up waiting that takes too long; true if there was any. */
  expire(now: number): boolean {
    const settled = this.#openedAt !== undefined && now - this.#openedAt >= RESUBSCRIBE_MS;
    if (settled) this.#openedAt = undefined;
    if (this.#awaited.size === 0 || now - this.#awaitedSince < MAX_WAIT_MS) return settled;
    this.#awaited.clear();
    return true;
  }

  #isQuiet(type: TypeUrl): boolean {
    const subscription = this.#subscriptions.get(type);
    return (
      subscription === undefined ||
      (subscription.outstanding === undefined && !subscription.hasMore)
    );
  }
}
