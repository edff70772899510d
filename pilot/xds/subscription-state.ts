/** What a stream's subscription begins with, has on its way, and says of itself. */

import type { WholeState } from "./held-state.ts";
import type { Rejection } from "./stream-events.ts";
import type { EncodedResource } from "#pilot/cache/resource.ts";

/** A response on its way: until the client answers it, no other of its type is sent. */
export interface Outstanding {
  nonce: string;
  sentAt: number;
  resources: readonly EncodedResource[];
  removed: readonly string[];
  /** State of the world, where a response carries everything: all that the client then holds. */
  whole?: WholeState;
}

export interface SubscriptionOptions {
  /** What a reconnected client has, by name. */
  known: Map<string, string>;
  /** Whether a resource that exists belongs to this stream at all. */
  admits?: (name: string) => boolean;
  /** A refusal is history: the resource is sent anew, gone, or no longer wanted. */
  onRecovered?: (rejection: Rejection) => void;
}

/** `error`: something is refused; `stale`: something is on its way or will be. */
export type SyncState = "not-sent" | "synced" | "stale" | "error";
