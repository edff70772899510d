/** What the next response to a subscription carries. */

import type { HeldState, WholeState } from "./held-state.ts";
import type { Subscription } from "./subscription.ts";
import type { EncodedResource } from "#pilot/cache/resource.ts";
import { joinFrames } from "#pilot/cache/shared-frames.ts";
import type { Protocol, SharedFrames } from "#pilot/cache/shared-frames.ts";
import type { ResourceTable } from "#pilot/cache/table.ts";

export interface ResponseContent {
  /** What of it is new to the client. */
  resources: readonly EncodedResource[];
  /** Encoded fields `resources` of the response. */
  fields: Buffer[];
  version: string;
  /** All that the client holds when it has accepted it, where the response says so. */
  whole?: WholeState;
}

/** Fewer fields than this are sent as they are, more are copied into one piece. */
const LOOSE_FIELDS = 8;

export interface ContentSources {
  tables: readonly ResourceTable[];
  frames: SharedFrames;
  protocol: Protocol;
}

/** The resources that the client lacks; they count as sent. */
export function takeLackingContent(
  subscription: Subscription,
  { tables, frames, protocol }: ContentSources,
): ResponseContent {
  const version = positions(tables);
  const suspects = subscription.substitutes.take() ?? subscription.takeSuspects();
  if (suspects !== undefined) {
    return { resources: suspects, fields: fieldsOf(suspects, protocol), version };
  }
  const whole = subscription.takeWholeTables().map((table) => frames.all(table, protocol));
  const rest = subscription.takeLacking();
  const loose =
    rest.length > LOOSE_FIELDS ? [joinFrames(rest, protocol).bytes] : fieldsOf(rest, protocol);
  return {
    resources: whole.length === 0 ? rest : [...whole.flatMap((one) => one.resources), ...rest],
    fields: [...whole.map((one) => one.bytes), ...loose],
    version,
  };
}

/**
 * State of the world: everything, with removed resources as long as their turn has not come, and
 * with what the client had in the place of what it refuses.
 */
export function takeWholeContent(
  subscription: Subscription,
  held: HeldState,
  { tables, frames, protocol }: ContentSources,
): ResponseContent {
  const { substitutes } = subscription;
  const resources = substitutes.take() ?? subscription.takeSuspects() ?? subscription.takeLacking();
  const isDivided = subscription.hasMore || subscription.hasRefusals;
  if (subscription.wildcard && subscription.removed.size === 0 && !isDivided) {
    const all = tables.map((table) => frames.all(table, protocol));
    return {
      resources,
      fields: all.map((one) => one.bytes),
      version: contentVersion(tables, frames),
      whole: all.map((one) => one.resources),
    };
  }
  const present = tables.flatMap((table) =>
    [...table.resources()].flatMap((resource) => {
      if (!subscription.wants(resource.name)) return [];
      return subscription.isDoubtful(resource)
        ? (substitutes.get(resource.name) ?? held.get(resource.name) ?? [])
        : resource;
    }),
  );
  const kept = [...subscription.removed].flatMap((name) =>
    tables.flatMap((table) => table.lastOf(name) ?? []),
  );
  const all = [...present, ...kept];
  const version = `${positions(tables)}-part`;
  return { resources, fields: fieldsOf(all, protocol), version, whole: [all] };
}

/** Of all that is in the tables: the same on every replica and after every restart. */
export function contentVersion(tables: readonly ResourceTable[], frames: SharedFrames): string {
  return tables.map((table) => frames.digest(table)).join(".");
}

function fieldsOf(resources: readonly EncodedResource[], protocol: Protocol): Buffer[] {
  return resources.map((one) => (protocol === "delta" ? one.deltaField : one.field));
}

/** A version within this process. */
function positions(tables: readonly ResourceTable[]): string {
  return tables.map((table) => table.head).join(".");
}
