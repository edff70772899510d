/** What handlers answer, before the client's Accept decides how it is written. */

import type { KubeObject, ListMeta } from "#cluster/api/meta.ts";
import type { Kind } from "#cluster/apiserver/kinds/kind.ts";
import type { StoredValue } from "#cluster/storage/store.ts";
import type { Output, OutputHeaders } from "./output.ts";

export type Answer =
  /** An object of a kind, as stored. */
  | { kind: "stored"; code: number; of: Kind; stored: StoredValue }
  | { kind: "list"; of: Kind; values: readonly StoredValue[]; metadata: ListMeta }
  /** Anything else that is JSON: Status, Scale, reviews, discovery. */
  | { kind: "object"; code: number; object: unknown }
  | { kind: "bytes"; code: number; headers: OutputHeaders; body: string | Uint8Array }
  /** Writes its own answer (watches, logs) and resolves when it is over; it must be run. */
  | { kind: "stream"; run: (output: Output) => Promise<void> };

export function objectAnswer(object: unknown, code = 200): Answer {
  return { kind: "object", code, object };
}

/** How a finished deletion is answered. */
export function success(
  kind: Pick<Kind, "group" | "plural">,
  object: Readonly<KubeObject>,
  code = 200,
): Answer {
  const { name, uid } = object.metadata;
  const details = { name, group: kind.group || undefined, kind: kind.plural, uid };
  const status = { kind: "Status", apiVersion: "v1", metadata: {}, status: "Success", details };
  return { kind: "object", code, object: status };
}
