/** What fields each message of the Envoy API has, read off the .proto files that npm brought. */

import {
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  writeFileSync,
} from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { SUPPLEMENT } from "./supplement.ts";

export type ScalarType =
  | "double"
  | "float"
  | "int32"
  | "int64"
  | "uint32"
  | "uint64"
  | "sint32"
  | "sint64"
  | "fixed32"
  | "fixed64"
  | "sfixed32"
  | "sfixed64"
  | "bool"
  | "string"
  | "bytes";

/** One field; `typeName` is the full name (no leading dot) of its message or enum. */
export interface FieldDescriptor {
  id: number;
  /** As in the .proto file; `jsonName` is what protobuf's JSON form calls it. */
  name: string;
  jsonName: string;
  type: ScalarType | "message" | "enum";
  typeName?: string;
  repeated?: true;
  /** Of a map; `type` and `typeName` then describe its values. */
  keyType?: ScalarType;
  /** The real oneof it belongs to. */
  oneof?: string;
  /** Set even when it has the default value: messages, members of a oneof, `optional` fields. */
  presence?: true;
}

/** Full name → fields by ascending id, and full name → value name → number. */
export interface Descriptors {
  messages: Record<string, FieldDescriptor[]>;
  enums: Record<string, Record<string, number>>;
}

const require = createRequire(import.meta.url);
/** Raised when the shape of the cached file changes. */
const FORMAT = 1;
const FILES = /^(envoy\/.*\/v3|xds|udpa|google\/(rpc|api\/expr))\/.*\.proto$/;
const WELL_KNOWN = ["any", "duration", "empty", "struct", "timestamp", "wrappers", "field_mask"];

let loaded: Descriptors | undefined;

/**
 * The whole Envoy v3 API. Reading the .proto files takes 0.4 s, so the result is kept in
 * `node_modules/.cache` (3 ms to read); where that can't be written it is made anew each time.
 */
export function descriptors(): Descriptors {
  loaded ??= supplemented(load());
  return loaded;
}

/** Whether the API has a message of this name. */
export function isMessageType(typeName: string): boolean {
  return Object.hasOwn(descriptors().messages, typeName);
}

/** What the package has stays; what is missing is added. */
function supplemented({ messages, enums }: Descriptors): Descriptors {
  const added = Object.entries(SUPPLEMENT).map(([name, fields]): [string, FieldDescriptor[]] => {
    const known = Object.hasOwn(messages, name) ? (messages[name] ?? []) : [];
    const ids = new Set(known.map((field) => field.id));
    const all = [...known, ...fields.filter((field) => !ids.has(field.id))];
    return [name, all.toSorted((left, right) => left.id - right.id)];
  });
  return { messages: { ...messages, ...Object.fromEntries(added) }, enums };
}

function load(): Descriptors {
  const packageDir = path.dirname(require.resolve("@grpc/grpc-js-xds/package.json"));
  const modules = path.resolve(packageDir, "..", "..");
  const { version } = JSON.parse(readFileSync(path.join(packageDir, "package.json"), "utf8")) as {
    version: string;
  };
  const cached = path.join(modules, ".cache", "lateen", `envoy-api-${version}-${FORMAT}.json`);
  if (existsSync(cached)) return JSON.parse(readFileSync(cached, "utf8")) as Descriptors;
  const made = parseProtos(path.join(packageDir, "deps"));
  keep(cached, JSON.stringify(made));
  return made;
}

/** A cache that can't be written costs only time, at the next start. */
function keep(file: string, text: string): void {
  const temporary = `${file}.${process.pid}`;
  try {
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(temporary, text);
    renameSync(temporary, file);
  } catch (error) {
    if (process.env["LATEEN_DEBUG"] !== undefined) console.error("descriptor cache:", error);
  }
}

interface ReflectedField {
  id: number;
  name: string;
  type: string;
  repeated: boolean;
  map: boolean;
  keyType?: string;
  partOf: { name: string; fieldsArray: unknown[] } | null;
  resolvedType: { fullName: string; values?: unknown } | null;
  resolve(): unknown;
}

interface ReflectedNode {
  fullName: string;
  nestedArray?: ReflectedNode[];
  fieldsArray?: ReflectedField[];
  values?: Record<string, number>;
}

interface Protobuf {
  Root: new () => ReflectedNode & { addJSON(nested: unknown): void };
  parse(source: string, root: unknown, options: { keepCase: boolean }): unknown;
  common: { get(file: string): { nested: unknown } };
}

function parseProtos(deps: string): Descriptors {
  const protobuf = require("protobufjs") as Protobuf;
  const root = new protobuf.Root();
  for (const name of ["envoy-api", "xds", "googleapis"]) {
    const folder = path.join(deps, name);
    for (const file of readdirSync(folder, { recursive: true, encoding: "utf8" }).toSorted()) {
      if (!FILES.test(file)) continue;
      protobuf.parse(readFileSync(path.join(folder, file), "utf8"), root, { keepCase: true });
    }
  }
  for (const name of WELL_KNOWN) {
    root.addJSON(protobuf.common.get(`google/protobuf/${name}.proto`).nested);
  }
  const result: Descriptors = { messages: {}, enums: {} };
  collect(root, result);
  return result;
}

function collect(node: ReflectedNode, into: Descriptors): void {
  const name = node.fullName.slice(1);
  if (node.fieldsArray !== undefined) {
    into.messages[name] = node.fieldsArray.flatMap(describe).toSorted((a, b) => a.id - b.id);
  } else if (node.values !== undefined) into.enums[name] = node.values;
  for (const nested of node.nestedArray ?? []) collect(nested, into);
}

/** No descriptor for a field of a type that the package doesn't ship (OpenCensus and the like). */
function describe(field: ReflectedField): FieldDescriptor[] {
  if ("extend" in field && field.extend !== undefined) return [];
  try {
    field.resolve();
  } catch {
    return [];
  }
  const target = field.resolvedType;
  const kind = target === null ? undefined : target.values === undefined ? "message" : "enum";
  const synthetic = field.partOf?.name === `_${field.name}`;
  const result: FieldDescriptor = {
    id: field.id,
    name: field.name,
    jsonName: jsonName(field.name),
    type: kind ?? (field.type as ScalarType),
  };
  if (target !== null) result.typeName = target.fullName.slice(1);
  if (field.repeated) result.repeated = true;
  if (field.map) result.keyType = field.keyType as ScalarType;
  if (field.partOf !== null && !synthetic) result.oneof = field.partOf.name;
  if (!field.repeated && !field.map && (kind === "message" || field.partOf !== null)) {
    result.presence = true;
  }
  return [result];
}

/** protobuf's rule: underscores go, the letter after each becomes a capital. */
function jsonName(name: string): string {
  return name.replaceAll(/_+(.?)/g, (_, letter: string) => letter.toUpperCase());
}
