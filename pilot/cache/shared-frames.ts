import { hash } from "node:crypto";
import type { EncodedResource } from "./resource.ts";
import type { ResourceTable } from "./table.ts";

/** Both stream variants of ADS. */
export type Protocol = "delta" | "sotw";

/** Resources and their fields `resources` of a response, one after the other. */
export interface Frames {
  readonly resources: readonly EncodedResource[];
  readonly bytes: Buffer;
}

interface Kept {
  head: number;
  all: Map<Protocol, Frames>;
  digest?: string;
}

/**
 * The fields of whole tables in one piece each, made when the first stream needs them and written by
 * all: a hundred proxies of one class that connect cost the memory and the copying of one.
 */
export class SharedFrames {
  readonly #kept = new WeakMap<ResourceTable, Kept>();

  /** Everything in the table, as of now. */
  all(table: ResourceTable, protocol: Protocol): Frames {
    const kept = this.#keptOf(table);
    let frames = kept.all.get(protocol);
    if (frames === undefined) {
      frames = joinFrames([...table.resources()], protocol);
      kept.all.set(protocol, frames);
    }
    return frames;
  }

  /** A version of the table's content: the same on every replica and after every restart. */
  digest(table: ResourceTable): string {
    const kept = this.#keptOf(table);
    kept.digest ??= digestOf(table.resources());
    return kept.digest;
  }

  #keptOf(table: ResourceTable): Kept {
    let kept = this.#kept.get(table);
    if (kept === undefined || kept.head !== table.head) {
      kept = { head: table.head, all: new Map() };
      this.#kept.set(table, kept);
    }
    return kept;
  }
}

function digestOf(resources: Iterable<EncodedResource>): string {
  const lines = [...resources].map(({ name, version }) => `${version} ${name}\n`);
  return hash("sha256", lines.toSorted().join(""), "base64url").slice(0, 16);
}

/** The fields of these resources in one piece. */
export function joinFrames(resources: readonly EncodedResource[], protocol: Protocol): Frames {
  const fields = resources.map((one) => (protocol === "delta" ? one.deltaField : one.field));
  return { resources, bytes: Buffer.concat(fields) };
}
