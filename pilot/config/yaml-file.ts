/** Text of one configuration file → the objects in it, or what is wrong with it. */

import { YAMLException, loadAll } from "js-yaml";
import type { KubeObject } from "#cluster/api/meta.ts";

export interface FileProblem {
  /** Counted from 1. */
  document: number;
  /** Kubernetes' field path; empty for the document as a whole. */
  field: string;
  message: string;
}

/** Checks an object as an API server would; its problems without a document. */
export type ObjectCheck = (object: KubeObject) => readonly { field: string; message: string }[];

export interface ParsedFile {
  objects: KubeObject[];
  problems: FileProblem[];
}

interface ParsedDocument {
  objects: KubeObject[];
  problems: readonly Omit<FileProblem, "document">[];
}

/** A file with more documents than this is refused. */
const MAX_DOCUMENTS = 100_000;
const SEPARATOR = /^---(?:[ \t].*)?$/m;
const NAME = /^[a-z0-9](?:[-a-z0-9.:]{0,251}[a-z0-9])?$/;

/**
 * Parses the documents of a file. `known`, what the last version of the file had, by text, saves
 * parsing again what hasn't changed; it is replaced by what this version has.
 */
export class YamlFile {
  readonly #check: ObjectCheck;
  #known = new Map<string, ParsedDocument>();

  constructor(check: ObjectCheck) {
    this.#check = check;
  }

  parse(text: string): ParsedFile {
    const result: ParsedFile = { objects: [], problems: [] };
    const known = new Map<string, ParsedDocument>();
    const documents = text.split(SEPARATOR);
    if (documents.length > MAX_DOCUMENTS) {
      const message = `has more than ${MAX_DOCUMENTS} documents`;
      return { objects: [], problems: [{ document: 1, field: "", message }] };
    }
    // What stands before the first separator counts only if there is something.
    let number = documents[0]?.trim() === "" ? 0 : 1;
    for (const document of documents) {
      if (document.trim() === "") {
        if (document !== documents[0]) number++;
        continue;
      }
      if (document !== documents[0]) number++;
      const parsed = this.#known.get(document) ?? this.#parseDocument(document);
      known.set(document, parsed);
      result.objects.push(...parsed.objects);
      for (const problem of parsed.problems) result.problems.push({ document: number, ...problem });
    }
    this.#known = known;
    return result;
  }

  #parseDocument(text: string): ParsedDocument {
    let value: unknown;
    try {
      // A document of comments alone is none, which `load` would refuse.
      [value] = loadAll(text);
    } catch (error) {
      if (!(error instanceof YAMLException)) throw error;
      return {
        objects: [],
        problems: [{ field: "", message: error.message.split("\n")[0] ?? "" }],
      };
    }
    if (value === null || value === undefined) return { objects: [], problems: [] };
    if (isList(value)) {
      const parts = value.items.map((item) => this.#parseObject(item));
      return {
        objects: parts.flatMap((part) => part.objects),
        problems: parts.flatMap((part, index) =>
          part.problems.map(({ field, message }) => ({
            field: `items[${index}].${field}`,
            message,
          })),
        ),
      };
    }
    return this.#parseObject(value);
  }

  #parseObject(value: unknown): ParsedDocument {
    const problem = shapeProblem(value);
    if (problem !== undefined) return { objects: [], problems: [problem] };
    const object = value as KubeObject;
    const problems = this.#check(object);
    return problems.length > 0 ? { objects: [], problems } : { objects: [object], problems: [] };
  }
}

function isList(value: unknown): value is { items: unknown[] } {
  if (typeof value !== "object" || value === null) return false;
  const { kind, items } = value as { kind?: unknown; items?: unknown };
  return typeof kind === "string" && kind.endsWith("List") && Array.isArray(items);
}

/** Whether it is an object with a kind and a name at all. */
function shapeProblem(value: unknown): { field: string; message: string } | undefined {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return { field: "", message: "is not an object" };
  }
  const { apiVersion, kind, metadata } = value as Record<string, unknown>;
  if (typeof apiVersion !== "string") return { field: "apiVersion", message: "is missing" };
  if (typeof kind !== "string") return { field: "kind", message: "is missing" };
  if (typeof metadata !== "object" || metadata === null) {
    return { field: "metadata", message: "is missing" };
  }
  const { name, namespace } = metadata as Record<string, unknown>;
  if (typeof name !== "string" || !NAME.test(name)) {
    return { field: "metadata.name", message: `${JSON.stringify(name)} is not a name` };
  }
  if (namespace !== undefined && (typeof namespace !== "string" || !NAME.test(namespace))) {
    return { field: "metadata.namespace", message: `${JSON.stringify(namespace)} is not a name` };
  }
  return undefined;
}
