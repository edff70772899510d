/** get and list. */

import type { AnyObject, ListMeta } from "#cluster/api/meta.ts";
import type { Resource } from "#cluster/api/resources.ts";
import { statusError } from "#cluster/api/status-error.ts";
import type { Kind } from "#cluster/apiserver/kinds/kind.ts";
import type { Store, StoredValue } from "#cluster/storage/store.ts";
import type { KindTable } from "./kind-table.ts";
import { expired, notFound } from "./errors.ts";
import { collectionPrefix, objectKey } from "./keys.ts";
import { objectOf } from "./object-codec.ts";
import { parseSelection } from "./selectors.ts";

/** Throws NotFound. */
export function getStored(
  store: Store,
  kind: Kind,
  at: { namespace: string; name: string },
): StoredValue {
  const stored = store.get(objectKey(kind, at.namespace, at.name));
  if (stored === undefined) throw notFound(kind, at.name);
  return stored;
}

interface Reader {
  readonly store: Store;
  readonly kinds: KindTable;
}

/** For the server's own look-ups; the object is shared and must not be written to. */
export function findObject<T extends AnyObject>(
  { store, kinds }: Reader,
  resource: Resource<T>,
  at: { namespace?: string; name: string },
): Readonly<T> | undefined {
  const kind = kinds.findResource(resource.group, resource.plural);
  const stored = store.get(objectKey(resource, at.namespace ?? "", at.name));
  if (kind === undefined || stored === undefined) return undefined;
  return objectOf(kind, stored) as unknown as T;
}

/** All objects of a resource, by key, for the server's own look-ups. */
export function allObjects<T extends AnyObject>(
  { store, kinds }: Reader,
  resource: Resource<T>,
  namespace = "",
): Readonly<T>[] {
  const kind = kinds.findResource(resource.group, resource.plural);
  const result = store.list(collectionPrefix(resource, namespace));
  if (kind === undefined || !result.ok) return [];
  return result.values.map((stored) => objectOf(kind, stored) as unknown as T);
}

export interface Listed {
  values: readonly StoredValue[];
  metadata: ListMeta;
}

/** A page of a list; throws BadRequest for bad parameters and Expired for an old `continue`. */
export function listStored(
  store: Store,
  kind: Kind,
  namespace: string,
  query: URLSearchParams,
): Listed {
  const selection = parseSelection(kind, query);
  const limit = wholeNumber(query, "limit") ?? 0;
  const page = parseContinue(query.get("continue") ?? "");
  const prefix = collectionPrefix(kind, namespace);
  const from = page === undefined ? "" : `${prefix}${page.after}`;
  checkRevision(store, query);
  const revision = page?.revision ?? exactRevision(query);
  const { matches } = selection;
  const result = store.list(prefix, {
    revision,
    limit: matches === undefined && limit > 0 ? limit : undefined,
    after: page === undefined ? undefined : from,
  });
  if (!result.ok) throw pageExpired(page !== undefined, result.oldest, revision ?? 0);
  const selected =
    matches === undefined
      ? result.values
      : result.values.filter((stored) => matches(objectOf(kind, stored)));
  const values = limit > 0 ? selected.slice(0, limit) : selected;
  const remaining = result.remaining + selected.length - values.length;
  const metadata: ListMeta = { resourceVersion: String(result.revision) };
  const last = values.at(-1);
  if (remaining > 0 && last !== undefined) {
    metadata.continue = formatContinue(result.revision, last.key.slice(prefix.length));
    if (matches === undefined) metadata.remainingItemCount = remaining;
  }
  return { values, metadata };
}

/** A non-negative whole number, or undefined when absent or empty. */
export function wholeNumber(query: URLSearchParams, parameter: string): number | undefined {
  const text = query.get(parameter) ?? "";
  if (text === "") return undefined;
  if (!/^\d{1,15}$/.test(text)) {
    throw statusError("BadRequest", `invalid value for ${parameter}: ${JSON.stringify(text)}`);
  }
  return Number(text);
}

/** Only `resourceVersionMatch=Exact` asks for the past; all else may be newer, and is. */
function exactRevision(query: URLSearchParams): number | undefined {
  if (query.get("resourceVersionMatch") !== "Exact") return undefined;
  return wholeNumber(query, "resourceVersion");
}

function checkRevision(store: Store, query: URLSearchParams): void {
  const asked = wholeNumber(query, "resourceVersion") ?? 0;
  if (asked <= store.revision) return;
  throw statusError("Timeout", `Too large resource version: ${asked}, current: ${store.revision}`, {
    retryAfterSeconds: 1,
    causes: [{ reason: "ResourceVersionTooLarge", message: "Too large resource version" }],
  });
}

interface Page {
  revision: number;
  after: string;
}

/** Opaque to clients: revision of the first page, and the key that it ended with. */
function formatContinue(revision: number, after: string): string {
  return Buffer.from(JSON.stringify([revision, after])).toString("base64url");
}

function parseContinue(token: string): Page | undefined {
  if (token === "") return undefined;
  try {
    const parsed: unknown = JSON.parse(Buffer.from(token, "base64url").toString());
    const [revision, after] = Array.isArray(parsed) ? (parsed as unknown[]) : [];
    if (Number.isSafeInteger(revision) && typeof after === "string") {
      return { revision: Number(revision), after };
    }
  } catch (error) {
    throw statusError("BadRequest", `continue key is not valid: ${String(error)}`);
  }
  throw statusError("BadRequest", "continue key is not valid");
}

function pageExpired(continued: boolean, oldest: number, asked: number): Error {
  if (!continued) return expired(oldest, asked);
  return statusError(
    "Expired",
    "The provided continue parameter is too old to display a consistent list result. You can " +
      "start a new list without the continue parameter.",
  );
}
