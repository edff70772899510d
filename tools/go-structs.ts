/** Reads the structs of a Go package: names, types and tags of their fields, and nothing else. */

import { readFileSync, readdirSync } from "node:fs";
import path from "node:path";

/** A Go package to read. */
export interface Source {
  /** Go import path without the module's version. */
  pkg: string;
  dir: string;
  /** OpenAPI definition prefix, for example `io.k8s.api.core.v1`. */
  prefix: string;
  /** Name of the TypeScript module. */
  module: string;
}

/** A field as `messages.json` has it. */
export interface Field {
  name: string;
  /** Scalar name or `#definition`. */
  type: string;
  number?: number;
  repeated?: true;
  map?: true;
  inline?: true;
  required?: true;
  /** A pointer in Go: its zero value is something else than its absence. */
  pointer?: true;
  patchStrategy?: string;
  patchMergeKey?: string;
  listType?: string;
  listMapKeys?: string[];
  mapType?: string;
  default?: unknown;
}

/** A type as it stands in the source. */
export interface GoType {
  source: Source;
  name: string;
  /** Of a struct. */
  fields?: { goName: string; goType: string; tag: string; comments: string[] }[];
  /** Of a struct that is owned and merged as a whole or not (`+structType`). */
  mapType?: string;
  /** Of `type X <alias>`. */
  alias?: string;
}

/** Adds the types of a package, and what its files import, to the maps. */
export function parsePackage(
  source: Source,
  types: Map<string, GoType>,
  imports: Map<string, Map<string, string>>,
): void {
  const aliases = new Map<string, string>();
  imports.set(source.pkg, aliases);
  for (const file of readdirSync(source.dir).toSorted()) {
    if (
      !/^(types.*|group_version|micro_time|time|duration)\.go$/.test(file) ||
      file.endsWith("_test.go")
    )
      continue;
    const text = readFileSync(path.join(source.dir, file), "utf8");
    for (const [, alias, target] of text.matchAll(/^(?:\t|import )(?:(\w+) )?"([\w./-]+)"$/gm)) {
      if (target !== undefined) aliases.set(alias ?? path.basename(target), target);
    }
    parseFile(source, text, types);
  }
}

function parseFile(source: Source, text: string, types: Map<string, GoType>): void {
  let current: GoType | undefined;
  let comments: string[] = [];
  for (const line of text.split("\n")) {
    const trimmed = line.trim();
    if (trimmed.startsWith("//")) {
      comments.push(trimmed.slice(2).trim());
      continue;
    }
    if (current?.fields !== undefined) {
      if (line === "}") current = undefined;
      else {
        const match = /^(?:(\w+)\s+)?([\w.*[\]]+(?:\{\})?)\s+`(.*)`/.exec(trimmed);
        if (match !== null) {
          current.fields.push({
            goName: match[1] ?? "",
            goType: match[2] ?? "",
            tag: match[3] ?? "",
            comments,
          });
        }
      }
      if (trimmed !== "") comments = [];
      continue;
    }
    const struct = /^type (\w+) struct ?\{/.exec(line);
    const alias = /^\s*(?:type )?(\w+)\s+(=?\s*[\w.*[\]]+)$/.exec(
      line.startsWith("type ") ? line : "",
    );
    if (struct?.[1] !== undefined) {
      current = { source, name: struct[1], fields: [], mapType: structType(comments) };
      types.set(key(current), current);
      if (line.endsWith("}")) current = undefined;
    } else if (alias?.[1] !== undefined && alias[2] !== undefined && alias[2] !== "interface") {
      const type = { source, name: alias[1], alias: alias[2].replace(/^=\s*/, "") };
      types.set(key(type), type);
    }
    if (trimmed !== "") comments = [];
  }
}

function structType(comments: readonly string[]): string | undefined {
  const marker = /^\+(?:structType|mapType)=(.+)$/;
  return comments.map((comment) => marker.exec(comment)?.[1]).find((found) => found !== undefined);
}

/** Import path and name. */
export function key(type: { source: Source; name: string }): string {
  return `${type.source.pkg}.${type.name}`;
}

/** Name of the OpenAPI definition. */
export function definition(type: GoType): string {
  return `${type.source.prefix}.${type.name}`;
}
