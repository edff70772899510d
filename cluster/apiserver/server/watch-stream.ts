/** A watch as an HTTP answer: one JSON event a line, until its time is over. */

import { apiVersionOf } from "#cluster/api/resources.ts";
import { statusError } from "#cluster/api/status-error.ts";
import type { Kind } from "#cluster/apiserver/kinds/kind.ts";
import {
  openWatch,
  parseWatchRequest,
  type WatchNotice,
  type WatchRequest,
} from "#cluster/apiserver/registry/watch.ts";
import type { Store, StoredValue } from "#cluster/storage/store.ts";
import type { Answer } from "./answer.ts";
import type { Output } from "./output.ts";
import { includeObjectOf, renderStored, type RenderOptions } from "./render.ts";
import { negotiate } from "./negotiate.ts";
import type { ResourceRequest } from "./request.ts";

const BOOKMARK_INTERVAL_MS = 60_000;
/**
 * What a watcher may leave unread. Beyond it the watch is broken off, and the client begins anew
 * from the last revision it has seen: a slow client costs itself and nobody else.
 */
const MAX_PENDING_BYTES = 32 * 1024 * 1024;

/** Answers once the watch is open, so that an expired revision is a plain 410. */
export function watchAnswer(
  context: { store: Store; now(): number },
  kind: Kind,
  request: ResourceRequest,
): Answer {
  const watch = parseWatchRequest(kind, request);
  const format = negotiate(request.headers.accept);
  if (format.encoding !== "json") {
    throw statusError("NotAcceptable", "watches are served as application/json only");
  }
  const options = { format, includeObject: includeObjectOf(request.query), now: context.now() };
  const early: Buffer[] = [];
  let send = (line: Buffer): void => void early.push(line);
  let sent = context.store.revision;
  const { namespace } = request.info;
  const stop = openWatch(context.store, kind, {
    namespace,
    request: watch,
    notify: (notice) => {
      sent = notice.revision;
      options.now = context.now();
      send(lineOf(kind, notice, options));
    },
  });
  const run = async (output: Output): Promise<void> => {
    output.head(200, {
      "content-type": format.as === "object" ? "application/json" : watchType(format),
      "cache-control": "no-cache, private",
    });
    output.flushHead();
    for (const line of early.splice(0)) output.write(line);
    send = (line) => {
      output.write(line);
      if (output.pendingBytes > MAX_PENDING_BYTES) output.destroy();
    };
    const bookmark = (): void => {
      // Everything up to the store's revision has been told: nothing is under way in between.
      sent = Math.max(sent, context.store.revision);
      send(lineOf(kind, { type: "BOOKMARK", revision: sent, initialEventsEnd: false }, options));
    };
    try {
      await lifetime(watch, request.signal, bookmark);
    } finally {
      stop();
      output.end();
    }
  };
  return { kind: "stream", run };
}

function watchType(format: RenderOptions["format"]): string {
  const as = format.as === "table" ? "Table" : "PartialObjectMetadata";
  return `application/json;as=${as};g=meta.k8s.io;v=${format.version}`;
}

/** Resolves when the time is over or the client is gone. */
function lifetime(watch: WatchRequest, signal: AbortSignal, bookmark: () => void): Promise<void> {
  return new Promise((resolve) => {
    const ticker = watch.bookmarks ? setInterval(bookmark, BOOKMARK_INTERVAL_MS) : undefined;
    const timer = setTimeout(end, watch.timeoutMs);
    function end(): void {
      clearInterval(ticker);
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
      resolve();
    }
    signal.addEventListener("abort", end);
    if (signal.aborted) end();
  });
}

/** Whole objects are the same for all watchers of a kind: their bytes are made once an event. */
const lines = new WeakMap<StoredValue, { key: string; line: Buffer }>();

function lineOf(kind: Kind, notice: WatchNotice, options: RenderOptions): Buffer {
  if (notice.type === "BOOKMARK") return bookmarkLine(kind, notice, options);
  const { type, stored, revision } = notice;
  const shared = options.format.as === "object";
  const key = `${type} ${revision} ${kind.version}`;
  const known = shared ? lines.get(stored) : undefined;
  if (known?.key === key) return known.line;
  const object = renderStored(kind, stored, { ...options, revision });
  const line = Buffer.from(`{"type":"${type}","object":${object}}\n`);
  if (shared) lines.set(stored, { key, line });
  return line;
}

function bookmarkLine(
  kind: Kind,
  notice: Extract<WatchNotice, { type: "BOOKMARK" }>,
  { format }: RenderOptions,
): Buffer {
  const annotations = notice.initialEventsEnd
    ? { annotations: { "k8s.io/initial-events-end": "true" } }
    : {};
  const metadata = { resourceVersion: String(notice.revision), ...annotations };
  const whole = { kind: kind.kind, apiVersion: apiVersionOf(kind) };
  const meta = { apiVersion: `meta.k8s.io/${format.version}` };
  const forms = {
    object: { ...whole, metadata },
    partial: { kind: "PartialObjectMetadata", ...meta, metadata },
    table: { kind: "Table", ...meta, metadata, columnDefinitions: [], rows: [] },
  };
  return Buffer.from(`${JSON.stringify({ type: "BOOKMARK", object: forms[format.as] })}\n`);
}
