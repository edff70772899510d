/**
 * Generates Lateen's own tables of the Kubernetes API from the struct tags of the Go modules
 * `k8s.io/api`, `k8s.io/apimachinery`, `k8s.io/apiextensions-apiserver` and others: the names,
 * types, protobuf numbers and merge keys of every field. Only those facts are taken, no text.
 *
 *   go mod download … ; node tools/generate-kube-types.ts "$(go env GOMODCACHE)"
 *
 * Writes `cluster/api/generated/<group>-<version>.ts` (TypeScript interfaces) and
 * `cluster/apiserver/schema/generated/messages.json` (what the server reads at run time).
 */
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";

interface Source {
  /** Go import path without the module's version. */
  pkg: string;
  dir: string;
  /** OpenAPI definition prefix, for example `io.k8s.api.core.v1`. */
  prefix: string;
  /** Name of the TypeScript module. */
  module: string;
}

interface Field {
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

interface GoType {
  source: Source;
  name: string;
  /** Of a struct. */
  fields?: { goName: string; goType: string; tag: string; comments: string[] }[];
  /** Of `type X <alias>`. */
  alias?: string;
}

const VERSIONED: [string, string, string, string][] = [
  ["k8s.io/api", "core/v1", "io.k8s.api.core.v1", "core-v1"],
  ["k8s.io/api", "apps/v1", "io.k8s.api.apps.v1", "apps-v1"],
  ["k8s.io/api", "batch/v1", "io.k8s.api.batch.v1", "batch-v1"],
  ["k8s.io/api", "autoscaling/v1", "io.k8s.api.autoscaling.v1", "autoscaling-v1"],
  ["k8s.io/api", "autoscaling/v2", "io.k8s.api.autoscaling.v2", "autoscaling-v2"],
  ["k8s.io/api", "policy/v1", "io.k8s.api.policy.v1", "policy-v1"],
  ["k8s.io/api", "networking/v1", "io.k8s.api.networking.v1", "networking-v1"],
  ["k8s.io/api", "discovery/v1", "io.k8s.api.discovery.v1", "discovery-v1"],
  ["k8s.io/api", "storage/v1", "io.k8s.api.storage.v1", "storage-v1"],
  ["k8s.io/api", "rbac/v1", "io.k8s.api.rbac.v1", "rbac-v1"],
  ["k8s.io/api", "scheduling/v1", "io.k8s.api.scheduling.v1", "scheduling-v1"],
  ["k8s.io/api", "coordination/v1", "io.k8s.api.coordination.v1", "coordination-v1"],
  ["k8s.io/api", "events/v1", "io.k8s.api.events.v1", "events-v1"],
  [
    "k8s.io/api",
    "admissionregistration/v1",
    "io.k8s.api.admissionregistration.v1",
    "admissionregistration-v1",
  ],
  ["k8s.io/api", "admission/v1", "io.k8s.api.admission.v1", "admission-v1"],
  ["k8s.io/api", "authentication/v1", "io.k8s.api.authentication.v1", "authentication-v1"],
  ["k8s.io/api", "authorization/v1", "io.k8s.api.authorization.v1", "authorization-v1"],
  ["k8s.io/api", "certificates/v1", "io.k8s.api.certificates.v1", "certificates-v1"],
  ["k8s.io/api", "node/v1", "io.k8s.api.node.v1", "node-v1"],
  ["k8s.io/apimachinery", "pkg/apis/meta/v1", "io.k8s.apimachinery.pkg.apis.meta.v1", "meta-v1"],
  [
    "k8s.io/apiextensions-apiserver",
    "pkg/apis/apiextensions/v1",
    "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1",
    "apiextensions-v1",
  ],
  [
    "k8s.io/kube-aggregator",
    "pkg/apis/apiregistration/v1",
    "io.k8s.kube-aggregator.pkg.apis.apiregistration.v1",
    "apiregistration-v1",
  ],
  [
    "k8s.io/metrics",
    "pkg/apis/metrics/v1beta1",
    "io.k8s.metrics.pkg.apis.metrics.v1beta1",
    "metrics-v1beta1",
  ],
];

/** Types with a JSON or protobuf form of their own; the codec knows each by this name. */
const SPECIAL: Record<string, string> = {
  "k8s.io/apimachinery/pkg/apis/meta/v1.Time": "time",
  "k8s.io/apimachinery/pkg/apis/meta/v1.MicroTime": "microTime",
  "k8s.io/apimachinery/pkg/apis/meta/v1.Duration": "duration",
  "k8s.io/apimachinery/pkg/apis/meta/v1.FieldsV1": "fieldsV1",
  "k8s.io/apimachinery/pkg/apis/meta/v1.Verbs": "stringList",
  "k8s.io/apimachinery/pkg/api/resource.Quantity": "quantity",
  "k8s.io/apimachinery/pkg/util/intstr.IntOrString": "intOrString",
  "k8s.io/apimachinery/pkg/runtime.RawExtension": "rawExtension",
  "k8s.io/apimachinery/pkg/runtime.Object": "rawExtension",
  "k8s.io/apimachinery/pkg/types.UID": "string",
  "k8s.io/apimachinery/pkg/types.NodeName": "string",
  "k8s.io/api/authentication/v1.ExtraValue": "stringList",
  "k8s.io/api/authorization/v1.ExtraValue": "stringList",
  "k8s.io/api/certificates/v1.ExtraValue": "stringList",
  "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1.JSON": "json",
  "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1.JSONSchemaPropsOrArray":
    "schemaOrArray",
  "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1.JSONSchemaPropsOrBool": "schemaOrBool",
  "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1.JSONSchemaPropsOrStringArray":
    "schemaOrStringArray",
};

const SCALARS: Record<string, string> = {
  string: "string",
  bool: "bool",
  int: "int32",
  int32: "int32",
  int64: "int64",
  uint8: "int32",
  float64: "double",
  byte: "byte",
  "interface{}": "json",
};

const TS_SCALARS: Record<string, string> = {
  string: "string",
  bool: "boolean",
  int32: "number",
  int64: "number",
  double: "number",
  bytes: "string",
  time: "string",
  microTime: "string",
  duration: "string",
  fieldsV1: "Record<string, unknown>",
  stringList: "string[]",
  quantity: "string",
  intOrString: "number | string",
  rawExtension: "unknown",
  json: "unknown",
  schemaOrArray: "JSONSchemaProps",
  schemaOrBool: "JSONSchemaProps | boolean",
  schemaOrStringArray: "JSONSchemaProps | string[]",
};

function main(): void {
  const cache = process.argv[2];
  if (cache === undefined) throw new Error("usage: generate-kube-types.ts GOMODCACHE");
  const sources = VERSIONED.map(([module, sub, prefix, name]) => ({
    pkg: `${module}/${sub}`,
    dir: path.join(moduleDir(cache, module), sub),
    prefix,
    module: name,
  }));
  const types = new Map<string, GoType>();
  const imports = new Map<string, Map<string, string>>();
  for (const source of sources) parsePackage(source, types, imports);
  const resolver = new Resolver(types, imports);
  const messages: Record<string, { fields: Field[] }> = {};
  for (const type of types.values()) {
    if (type.fields === undefined || SPECIAL[key(type)] !== undefined) continue;
    messages[definition(type)] = {
      fields: type.fields.map((f) => resolver.field(type, f)).filter((f) => f !== undefined),
    };
  }
  emitTable(messages);
  emitTypeScript(sources, messages);
}

function moduleDir(cache: string, module: string): string {
  const parent = path.join(cache, path.dirname(module));
  const found = readdirSync(parent)
    .filter((name) => name.startsWith(`${path.basename(module)}@`))
    .toSorted();
  const newest = found.at(-1);
  if (newest === undefined) throw new Error(`${module} is not in ${cache}: go mod download it`);
  return path.join(parent, newest);
}

function parsePackage(
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
      current = { source, name: struct[1], fields: [] };
      types.set(key(current), current);
      if (line.endsWith("}")) current = undefined;
    } else if (alias?.[1] !== undefined && alias[2] !== undefined && alias[2] !== "interface") {
      const type = { source, name: alias[1], alias: alias[2].replace(/^=\s*/, "") };
      types.set(key(type), type);
    }
    if (trimmed !== "") comments = [];
  }
}

function key(type: { source: Source; name: string }): string {
  return `${type.source.pkg}.${type.name}`;
}

function definition(type: GoType): string {
  return `${type.source.prefix}.${type.name}`;
}

class Resolver {
  readonly #types: Map<string, GoType>;
  readonly #imports: Map<string, Map<string, string>>;

  constructor(types: Map<string, GoType>, imports: Map<string, Map<string, string>>) {
    this.#types = types;
    this.#imports = imports;
  }

  field(
    owner: GoType,
    raw: { goType: string; tag: string; comments: string[] },
  ): Field | undefined {
    const json = tagValue(raw.tag, "json");
    const proto = tagValue(raw.tag, "protobuf");
    if (json === undefined || json === "-") return undefined;
    const [name = "", ...options] = json.split(",");
    const resolved = this.#resolve(owner.source.pkg, raw.goType);
    if (resolved.type.endsWith(".meta.v1.TypeMeta"))
      return { name: "", inline: true, type: resolved.type };
    const number = proto === undefined ? undefined : Number(proto.split(",")[1]);
    const marker = (prefix: string): string[] =>
      raw.comments.filter((c) => c.startsWith(prefix)).map((c) => c.slice(prefix.length));
    const optional =
      options.includes("omitempty") ||
      options.includes("omitzero") ||
      raw.comments.includes("+optional");
    const listMapKeys = marker("+listMapKey=");
    const fallback = marker("+default=")[0];
    return {
      name,
      ...resolved,
      ...(number === undefined ? {} : { number }),
      ...(options.includes("inline") ? { inline: true } : {}),
      ...(optional || options.includes("inline") ? {} : { required: true }),
      ...(raw.goType.startsWith("*") ? { pointer: true } : {}),
      ...text("patchStrategy", tagValue(raw.tag, "patchStrategy")),
      ...text("patchMergeKey", tagValue(raw.tag, "patchMergeKey")),
      ...text("listType", marker("+listType=")[0]),
      ...text("mapType", marker("+mapType=")[0] ?? marker("+structType=")[0]),
      ...(listMapKeys.length > 0 ? { listMapKeys } : {}),
      ...(fallback === undefined || fallback.startsWith("ref(")
        ? {}
        : { default: JSON.parse(fallback) as unknown }),
    };
  }

  #resolve(pkg: string, goType: string): { type: string; repeated?: true; map?: true } {
    const bare = goType.replace(/^\*/, "");
    if (bare === "[]byte") return { type: "bytes" };
    const map = /^map\[[\w.]+\](.+)$/.exec(bare);
    if (map?.[1] !== undefined) return { type: this.#resolve(pkg, map[1]).type, map: true };
    if (bare.startsWith("[]"))
      return { type: this.#resolve(pkg, bare.slice(2)).type, repeated: true };
    const scalar = SCALARS[bare];
    if (scalar !== undefined) return { type: scalar };
    const [qualifier, local] = bare.includes(".") ? bare.split(".") : [undefined, bare];
    const target = qualifier === undefined ? pkg : this.#imports.get(pkg)?.get(qualifier);
    const full = `${target}.${local}`;
    if (SPECIAL[full] !== undefined) return { type: SPECIAL[full] };
    const type = this.#types.get(full);
    if (type === undefined) throw new Error(`${pkg}: unknown Go type ${goType} (${full})`);
    if (type.alias !== undefined) return this.#resolve(type.source.pkg, type.alias);
    return { type: `#${definition(type)}` };
  }
}

function tagValue(tag: string, name: string): string | undefined {
  return new RegExp(`(?:^| )${name}:"([^"]*)"`).exec(tag)?.[1];
}

function text(name: string, value: string | undefined): Record<string, string> {
  return value === undefined || value === "" ? {} : { [name]: value };
}

function emitTable(messages: Record<string, { fields: Field[] }>): void {
  const dir = "cluster/apiserver/schema/generated";
  mkdirSync(dir, { recursive: true });
  const lines = Object.keys(messages)
    .toSorted()
    .map((name) => `${JSON.stringify(name)}: ${JSON.stringify(messages[name])}`);
  writeFileSync(path.join(dir, "messages.json"), `{\n${lines.join(",\n")}\n}\n`);
}

function emitTypeScript(sources: Source[], messages: Record<string, { fields: Field[] }>): void {
  const dir = "cluster/api/generated";
  rmSync(dir, { recursive: true, force: true });
  mkdirSync(dir, { recursive: true });
  const owner = (name: string): Source | undefined =>
    sources.find(
      (s) => name.startsWith(`${s.prefix}.`) && !name.slice(s.prefix.length + 1).includes("."),
    );
  for (const source of sources) {
    if (source.module === "meta-v1") continue;
    const used = new Map<string, Set<string>>();
    const body: string[] = [];
    for (const name of Object.keys(messages).toSorted()) {
      if (owner(name) !== source) continue;
      body.push(emitInterface(name, messages, { source, owner, used }));
    }
    const header = [...used]
      .toSorted(([a], [b]) => a.localeCompare(b))
      .map(([module, names]) => {
        const list = [...names].toSorted().join(", ");
        return `import type { ${list} } from "./${module}.ts";`;
      });
    if (body.some((text) => text.includes("meta."))) {
      header.unshift(`import type * as meta from "#cluster/api/meta.ts";`);
    }
    writeFileSync(
      path.join(dir, `${source.module}.ts`),
      `// Generated by tools/generate-kube-types.ts: do not edit.\n${header.join("\n")}\n\n${body.join("\n")}`,
    );
  }
}

interface EmitContext {
  source: Source;
  owner: (name: string) => Source | undefined;
  used: Map<string, Set<string>>;
}

function emitInterface(
  name: string,
  messages: Record<string, { fields: Field[] }>,
  context: EmitContext,
): string {
  const fields = messages[name]?.fields ?? [];
  const isKind = fields.some((f) => f.inline === true && f.type.endsWith(".TypeMeta"));
  const lines: string[] = [];
  const bases: string[] = [];
  for (const field of fields) {
    if (field.inline === true) {
      if (field.type.endsWith(".TypeMeta"))
        lines.push("  apiVersion?: string;", "  kind?: string;");
      else bases.push(tsType(field.type, context));
      continue;
    }
    let type = tsType(field.type, context);
    if (type === "meta.ObjectMeta" && !isKind) type = "meta.PartialMeta";
    if (field.repeated === true) type = type.includes("|") ? `(${type})[]` : `${type}[]`;
    if (field.map === true) type = `Record<string, ${type}>`;
    const required = field.required === true || (isKind && field.name === "metadata");
    const quoted = /^[A-Za-z_]\w*$/.test(field.name) ? field.name : JSON.stringify(field.name);
    lines.push(`  ${quoted}${required ? "" : "?"}: ${type};`);
  }
  const heritage = bases.length > 0 ? ` extends ${bases.join(", ")}` : "";
  return `export interface ${name.split(".").at(-1)}${heritage} {\n${lines.join("\n")}\n}\n`;
}

const HAND_WRITTEN = new Set([
  "ObjectMeta",
  "ListMeta",
  "LabelSelector",
  "LabelSelectorRequirement",
  "Condition",
  "OwnerReference",
  "GroupVersionKind",
]);

function tsType(type: string, context: EmitContext): string {
  if (!type.startsWith("#")) return TS_SCALARS[type] ?? "unknown";
  const full = type.slice(1);
  const local = full.split(".").at(-1) ?? full;
  const owner = context.owner(full);
  if (owner?.module === "meta-v1") return HAND_WRITTEN.has(local) ? `meta.${local}` : "unknown";
  if (owner !== undefined && owner !== context.source) {
    const names = context.used.get(owner.module) ?? new Set<string>();
    context.used.set(owner.module, names.add(local));
  }
  return local;
}

main();
