/** Go fields → fields of the generated table: types resolved across packages, tags read. */

import { definition, type Field, type GoType } from "./go-structs.ts";

/** Types with a JSON or protobuf form of their own; the codec knows each by this name. */
export const SPECIAL: Record<string, string> = {
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

/** Knows all types and imports, and so what each field's type means. */
export class Resolver {
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
