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
  /** By type and protocol, as long as some table keeps them: classes often see the same resources. */
  readonly #joined = new Map<string, WeakRef<Frames>[]>();

  /** Everything in the table, as of now. */
  all(table: ResourceTable, protocol: Protocol): Frames {
    const kept = this.#keptOf(table);
    let frames = kept.all.get(protocol);
    if (frames === undefined) {
      frames = this.#join([...table.resources()], `${protocol} ${table.type}`, protocol);
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

  /** Equal resources are the same objects (`interner.ts`), so equal tables are soon told. */
  #join(resources: readonly EncodedResource[], kind: string, protocol: Protocol): Frames {
    const joined = (this.#joined.get(kind) ?? []).filter((one) => one.deref() !== undefined);
    for (const one of joined) {
      const frames = one.deref();
      if (frames !== undefined && sameResources(frames.resources, resources)) return frames;
    }
    const frames = joinFrames(resources, protocol);
    this.#joined.set(kind, [new WeakRef(frames), ...joined].slice(0, MAX_JOINED));
    return frames;
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

/** Among how many others of a kind an equal one is looked for. */
const MAX_JOINED = 16;

function sameResources(
  left: readonly EncodedResource[],
  right: readonly EncodedResource[],
): boolean {
  return left.length === right.length && left.every((one, at) => one === right[at]);
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
