/**
 * What a request makes a client want: names, everything (`*`, or the older form, a first request
 * without names), and names no longer ("xDS REST and gRPC protocol" in Envoy's documentation).
 */

import type { DiscoveryRequest } from "./discovery-request.ts";
import type { Subscription } from "./subscription.ts";
import { ruleOf } from "#pilot/cache/type-url.ts";

const EVERYTHING = "*";

/** Notes a request's names; gives those that are wanted now and weren't before. */
export function noteDeltaInterest(
  subscription: Subscription,
  request: DiscoveryRequest,
  first: boolean,
): readonly string[] {
  if (request.unsubscribe.includes(EVERYTHING)) subscription.unsubscribeAll();
  subscription.unsubscribe(request.unsubscribe);
  const { names: all } = request;
  const names = all.includes(EVERYTHING) ? all.filter((name) => name !== EVERYTHING) : all;
  const unnamed = first && request.names.length === 0 && ruleOf(subscription.type).wildcard;
  // Names first: what everything doesn't include may be among them, and known to the client.
  if (names.length > 0) subscription.subscribe(names);
  if (unnamed || names.length < request.names.length) subscription.subscribeAll();
  return names;
}

/** Names are all that is wanted. None at all is everything only until the first name. */
export function noteSotwInterest(subscription: Subscription, request: DiscoveryRequest): string[] {
  const names = new Set(request.names);
  const star = names.delete(EVERYTHING);
  if (request.names.length > 0) subscription.everNamed = true;
  const { wildcard } = ruleOf(subscription.type);
  const all = star || (wildcard && !subscription.everNamed);
  const added = [...names].filter((name) => !subscription.names.has(name));
  const gone = [...subscription.names].filter((name) => !names.has(name));
  if (!all && subscription.wildcard) subscription.unsubscribeAll();
  // A response that lacks what nobody wants any more says nothing; it waits for the next.
  subscription.forgetNames(gone);
  if (all && !subscription.wildcard) subscription.subscribeAll();
  if (added.length > 0) subscription.subscribe(added);
  return added;
}
