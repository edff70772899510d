/** watch: store events → watch events of one kind and selection. */

import type { KubeObject } from "#cluster/api/meta.ts";
import { statusError } from "#cluster/api/status-error.ts";
import { isTrue, type ResourceRequest } from "#cluster/apiserver/server/request.ts";
import type { Kind } from "#cluster/apiserver/kinds/kind.ts";
import type { Store, StoredValue, StoreEvent } from "#cluster/storage/store.ts";
import { expired } from "./errors.ts";
import { collectionPrefix } from "./keys.ts";
import { objectOf } from "./object-codec.ts";
import { wholeNumber } from "./read.ts";
import { parseSelection } from "./selectors.ts";

/** What a watcher is told; the value's revision is not the event's when it was deleted. */
export type WatchNotice =
  | { type: "ADDED" | "MODIFIED" | "DELETED"; stored: StoredValue; revision: number }
  | { type: "BOOKMARK"; revision: number; initialEventsEnd: boolean };

export interface WatchRequest {
  /** After this revision; undefined: begin with the present objects as ADDED. */
  from: number | undefined;
  matches: ((object: Readonly<KubeObject>) => boolean) | undefined;
  bookmarks: boolean;
  /** A bookmark says where the initial objects end (Kubernetes' WatchList). */
  markInitialEnd: boolean;
  timeoutMs: number;
}

const MIN_TIMEOUT_MS = 30 * 60_000;

/** Throws BadRequest or Invalid for parameters that make no sense. */
export function parseWatchRequest(kind: Kind, request: ResourceRequest): WatchRequest {
  const { query } = request;
  const selection = parseSelection(kind, query, request.info.name);
  const bookmarks = isTrue(query.get("allowWatchBookmarks"));
  const initial = isTrue(query.get("sendInitialEvents"));
  const match = query.get("resourceVersionMatch") ?? "";
  if (initial && (match !== "NotOlderThan" || !bookmarks)) {
    throw statusError(
      "Invalid",
      "sendInitialEvents: Forbidden: needs resourceVersionMatch=NotOlderThan and allowWatchBookmarks=true",
    );
  }
  const revision = wholeNumber(query, "resourceVersion") ?? 0;
  const seconds = wholeNumber(query, "timeoutSeconds") ?? 0;
  const timeoutMs = seconds > 0 ? seconds * 1000 : MIN_TIMEOUT_MS * (1 + Math.random());
  const fromNow = query.get("sendInitialEvents") === "false" && revision === 0;
  return {
    from: initial ? undefined : revision > 0 ? revision : fromNow ? Infinity : undefined,
    matches: selection.matches,
    bookmarks,
    markInitialEnd: initial,
    timeoutMs: Math.min(timeoutMs, 2 ** 31 - 1),
  };
}

/**
 * Tells `notify` of everything that the request asks for until `stop` is called. Throws Expired
 * when history no longer reaches back to `from`.
 */
export function openWatch(
  store: Store,
  kind: Kind,
  watch: { namespace: string; request: WatchRequest; notify: (notice: WatchNotice) => void },
): () => void {
  const { namespace, request, notify } = watch;
  const prefix = collectionPrefix(kind, namespace);
  let from = Math.min(request.from ?? store.revision, store.revision);
  if (request.from === undefined) {
    const listed = store.list(prefix);
    if (!listed.ok) throw expired(listed.oldest, store.revision);
    from = listed.revision;
    for (const stored of listed.values) {
      if (request.matches === undefined || request.matches(objectOf(kind, stored))) {
        notify({ type: "ADDED", stored, revision: stored.revision });
      }
    }
    if (request.markInitialEnd) {
      notify({ type: "BOOKMARK", revision: from, initialEventsEnd: true });
    }
  }
  const result = store.watch(prefix, from, (event) => {
    const notice = noticeOf(kind, event, request.matches);
    if (notice !== undefined) notify(notice);
  });
  if (!result.ok) throw expired(result.oldest, from);
  return result.stop;
}

/** With a selector an update may mean that the object comes into view, or leaves it. */
export function noticeOf(
  kind: Kind,
  event: StoreEvent,
  matches: WatchRequest["matches"],
): WatchNotice | undefined {
  const { revision } = event;
  const shown = (stored: StoredValue | undefined): StoredValue | undefined =>
    stored === undefined || matches === undefined || matches(objectOf(kind, stored))
      ? stored
      : undefined;
  const current = shown(event.current);
  const previous = shown(event.previous);
  if (current !== undefined) {
    return { type: previous === undefined ? "ADDED" : "MODIFIED", stored: current, revision };
  }
  // What left the view is shown as it was last seen, at the revision at which it left.
  if (previous !== undefined) return { type: "DELETED", stored: previous, revision };
  return undefined;
}
