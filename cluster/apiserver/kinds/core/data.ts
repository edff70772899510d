/** ConfigMaps and Secrets. */

import type { KubeObject } from "#cluster/api/meta.ts";
import type { ConfigMap, Secret } from "#cluster/api/generated/core-v1.ts";
import { AGE, integer, NAME, text } from "#cluster/apiserver/kinds/columns.ts";
import type { Column, Strategy } from "#cluster/apiserver/kinds/kind.ts";
import { check, immutable } from "#cluster/apiserver/kinds/meta.ts";
import { dataKey } from "#cluster/apiserver/kinds/names.ts";
import { strategyOf } from "#cluster/apiserver/kinds/strategy.ts";
import { equalJson, isObject, setOwn } from "#cluster/apiserver/schema/json.ts";
import * as problem from "#cluster/apiserver/schema/problem.ts";
import type { FieldProblem } from "#cluster/apiserver/schema/schema.ts";

const MAX_BYTES = 1024 * 1024;
const WHEN_IMMUTABLE = "field is immutable when `immutable` is set";

export const CONFIG_MAP_STRATEGY: Strategy = strategyOf<ConfigMap>({
  validate: ({ data = {}, binaryData = {} }) => {
    const keys = (values: object, field: string): FieldProblem[] =>
      Object.keys(values).flatMap((key) => check(`${field}[${key}]`, key, dataKey(key)));
    const twice = Object.keys(data).filter((key) => Object.hasOwn(binaryData, key));
    const texts = Object.values(data).map((value) => Buffer.byteLength(value));
    const bytes = Object.values(binaryData).map(base64Length);
    return [
      ...keys(data, "data"),
      ...keys(binaryData, "binaryData"),
      ...twice.map((key) =>
        problem.invalid(`data[${key}]`, key, "duplicate of key present in binaryData"),
      ),
      ...sizeProblems([...texts, ...bytes], ""),
    ];
  },
  validateUpdate: (object, old) =>
    frozenProblems(old.immutable, object.immutable, {
      data: equalJson(object.data ?? {}, old.data ?? {}),
      binaryData: equalJson(object.binaryData ?? {}, old.binaryData ?? {}),
    }),
});

export const SECRET_STRATEGY: Strategy = strategyOf<Secret>({
  applyDefaults: mergeStringData,
  validate: (secret) => {
    const { data = {} } = secret;
    return [
      ...Object.keys(data).flatMap((key) => check(`data[${key}]`, key, dataKey(key))),
      ...sizeProblems(Object.values(data).map(base64Length), "data"),
      ...typeProblems(secret),
    ];
  },
  validateUpdate: (object, old) => [
    ...((object.type ?? "") === (old.type ?? "") ? [] : [immutable("type", object.type ?? "")]),
    ...frozenProblems(old.immutable, object.immutable, {
      data: equalJson(object.data ?? {}, old.data ?? {}),
    }),
  ],
  selectableFields: ({ type }) => ({ type: type ?? "" }),
});

/** stringData is for writing only: its texts become data. */
function mergeStringData(object: KubeObject): void {
  const { stringData } = object;
  if (!isObject(stringData)) return;
  // A value that is no text stays, for the schema to refuse.
  if (!Object.values(stringData).every((value) => typeof value === "string")) return;
  const data = isObject(object["data"]) ? object["data"] : {};
  for (const [key, value] of Object.entries(stringData)) {
    setOwn(data, key, Buffer.from(String(value)).toString("base64"));
  }
  object["data"] = data;
  delete object["stringData"];
}

/** Keys that a type promises to its readers. */
const REQUIRED_KEYS: Readonly<Record<string, readonly string[]>> = {
  "kubernetes.io/tls": ["tls.crt", "tls.key"],
  "kubernetes.io/dockerconfigjson": [".dockerconfigjson"],
  "kubernetes.io/dockercfg": [".dockercfg"],
  "kubernetes.io/ssh-auth": ["ssh-privatekey"],
};
const TOKEN_TYPE = "kubernetes.io/service-account-token";
const TOKEN_OWNER = "kubernetes.io/service-account.name";

function typeProblems({ type = "", data = {}, metadata }: Secret): FieldProblem[] {
  const keys = Object.hasOwn(REQUIRED_KEYS, type) ? (REQUIRED_KEYS[type] ?? []) : [];
  const problems = keys
    .filter((key) => !Object.hasOwn(data, key))
    .map((key) => problem.required(`data[${key}]`));
  if (type === TOKEN_TYPE && (metadata.annotations?.[TOKEN_OWNER] ?? "") === "") {
    problems.push(problem.required(`metadata.annotations[${TOKEN_OWNER}]`));
  }
  if (type === "kubernetes.io/basic-auth" && !("username" in data) && !("password" in data)) {
    problems.push(problem.required("data[username]"), problem.required("data[password]"));
  }
  return problems;
}

function frozenProblems(
  wasImmutable: boolean | undefined,
  isImmutable: boolean | undefined,
  same: Readonly<Record<string, boolean>>,
): FieldProblem[] {
  if (wasImmutable !== true) return [];
  const problems = Object.entries(same)
    .filter(([, unchanged]) => !unchanged)
    .map(([field]) => problem.forbidden(field, WHEN_IMMUTABLE));
  if (isImmutable !== true) problems.unshift(problem.forbidden("immutable", WHEN_IMMUTABLE));
  return problems;
}

function sizeProblems(sizes: readonly number[], field: string): FieldProblem[] {
  const total = sizes.reduce((sum, size) => sum + size, 0);
  return total > MAX_BYTES ? [problem.tooLong(field, MAX_BYTES)] : [];
}

function base64Length(text: string): number {
  return Buffer.byteLength(text, "base64");
}

function count(value: unknown): number {
  return isObject(value) ? Object.keys(value).length : 0;
}

export const CONFIG_MAP_COLUMNS: readonly Column[] = [
  NAME,
  integer("Data", ({ data, binaryData }) => count(data) + count(binaryData)),
  AGE,
];

export const SECRET_COLUMNS: readonly Column[] = [
  NAME,
  text("Type", ({ type }) => (typeof type === "string" ? type : "")),
  integer("Data", ({ data }) => count(data)),
  AGE,
];
