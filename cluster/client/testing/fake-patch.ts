/** The patches that FakeApi understands; enough for tests, not a reference. */

import type { PatchType } from "#cluster/client/client.ts";
import { statusError } from "#cluster/api/status-error.ts";

type Json = Record<string, unknown>;

/** Fields by which strategic merge patches find the items of a list, in order of preference. */
const MERGE_KEYS = ["type", "name", "uid", "ip", "containerPort", "mountPath", "key"];

/** A patched copy. Strategic merge is approximated: lists of objects merge by a well-known key. */
export function applyPatch(target: object, patch: { type: PatchType; body: unknown }): object {
  const copy = structuredClone(target) as Json;
  if (patch.type === "json") return applyJsonPatch(copy, patch.body as Operation[]);
  return merge(copy, patch.body as Json, patch.type === "strategic-merge");
}

function merge(target: Json, patch: Json, isStrategic: boolean): Json {
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) {
      delete target[key];
    } else if (Array.isArray(value)) {
      target[key] = isStrategic ? mergeLists(target[key], value) : value;
    } else if (typeof value === "object") {
      const old = target[key];
      const base = typeof old === "object" && old !== null && !Array.isArray(old) ? old : {};
      target[key] = merge(base as Json, value as Json, isStrategic);
    } else {
      target[key] = value;
    }
  }
  return target;
}

function mergeLists(target: unknown, patch: readonly unknown[]): unknown[] {
  const first = patch[0];
  const mergeKey =
    typeof first === "object" && first !== null
      ? MERGE_KEYS.find((key) => Object.hasOwn(first, key))
      : undefined;
  if (mergeKey === undefined || !Array.isArray(target)) return [...patch];
  const items = [...(target as Json[])];
  for (const change of patch as Json[]) {
    const index = items.findIndex((item) => item[mergeKey] === change[mergeKey]);
    if (change.$patch === "delete") {
      if (index !== -1) items.splice(index, 1);
    } else if (index === -1) {
      items.push(change);
    } else {
      items[index] = merge(items[index] ?? {}, change, true);
    }
  }
  return items;
}

interface Operation {
  op: "add" | "remove" | "replace" | "test";
  path: string;
  value?: unknown;
}

function applyJsonPatch(document: Json, operations: readonly Operation[]): Json {
  for (const { op, path, value } of operations) {
    const parts = path
      .split("/")
      .slice(1)
      .map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"));
    const last = parts.pop() ?? "";
    let parent: unknown = document;
    for (const part of parts) parent = (parent as Json | undefined)?.[part];
    if (typeof parent !== "object" || parent === null) {
      throw statusError("Invalid", `json patch: ${path} has no parent`);
    }
    if (Array.isArray(parent)) patchList(parent, { op, key: last, value });
    else if (op === "test") check((parent as Json)[last], value, path);
    else if (op === "remove") delete (parent as Json)[last];
    else (parent as Json)[last] = value;
  }
  return document;
}

function patchList(
  list: unknown[],
  change: { op: Operation["op"]; key: string; value: unknown },
): void {
  const index = change.key === "-" ? list.length : Number(change.key);
  if (change.op === "add") list.splice(index, 0, change.value);
  else if (change.op === "remove") list.splice(index, 1);
  else if (change.op === "replace") list[index] = change.value;
  else check(list[index], change.value, change.key);
}

function check(actual: unknown, wanted: unknown, path: string): void {
  if (JSON.stringify(actual) === JSON.stringify(wanted)) return;
  throw statusError("Invalid", `json patch: test of ${path} failed`);
}
