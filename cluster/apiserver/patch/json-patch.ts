/** JSON Patch (RFC 6902), `application/json-patch+json`. */

import {
  cloneJson,
  equalJson,
  exceedsDepth,
  isObject,
  setOwn,
} from "#cluster/apiserver/schema/json.ts";
import { MAX_PATCH_DEPTH, type PatchResult } from "./result.ts";

/** Kubernetes' own bound. */
const MAX_OPERATIONS = 10_000;
/** Copies may not blow a document up: a bound on the values that all of them add. */
const MAX_COPIED = 100_000;

interface Session {
  root: unknown;
  copied: number;
}

type Step = { ok: true; value?: unknown } | { ok: false; message: string };

/** Applies operations in order, all or none; `document` stays as it was. */
export function applyJsonPatch(document: unknown, operations: unknown): PatchResult {
  if (!Array.isArray(operations)) {
    return { ok: false, message: "a JSON patch must be an array of operations" };
  }
  if (operations.length > MAX_OPERATIONS) {
    const message = `the patch has ${operations.length} operations, at most ${MAX_OPERATIONS} are allowed`;
    return { ok: false, message };
  }
  const session: Session = { root: cloneJson(document), copied: 0 };
  for (const [index, operation] of operations.entries()) {
    const step = isObject(operation)
      ? applyOperation(session, operation)
      : failure("must be an object");
    if (!step.ok) return { ok: false, message: `operation ${index}: ${step.message}` };
  }
  if (exceedsDepth(session.root, MAX_PATCH_DEPTH)) {
    return { ok: false, message: `the result nests deeper than ${MAX_PATCH_DEPTH} levels` };
  }
  return { ok: true, result: session.root };
}

function applyOperation(session: Session, operation: Record<string, unknown>): Step {
  const { op, path, from } = operation;
  const tokens = parsePointer(path);
  if (tokens === undefined) return failure(`path ${JSON.stringify(path)} is not a JSON pointer`);
  if (typeof op !== "string") return failure("op must be a string");
  if (["add", "replace", "test"].includes(op) && operation["value"] === undefined) {
    return failure(`${op} ${JSON.stringify(path)} needs a value`);
  }
  switch (op) {
    case "add":
      return add(session, tokens, cloneJson(operation["value"]));
    case "remove":
      return remove(session, tokens);
    case "replace":
      return replace(session, tokens, cloneJson(operation["value"]));
    case "test":
      return testValue(session, tokens, operation["value"]);
    case "move":
    case "copy": {
      const source = parsePointer(from);
      if (source === undefined) {
        return failure(`from ${JSON.stringify(from)} is not a JSON pointer`);
      }
      return op === "move" ? move(session, source, tokens) : copy(session, source, tokens);
    }
    default:
      return failure(`op ${JSON.stringify(op)} is unknown`);
  }
}

function add(session: Session, tokens: readonly string[], value: unknown): Step {
  if (tokens.length === 0) {
    session.root = value;
    return { ok: true };
  }
  const parent = parentOf(session, tokens);
  if (!parent.ok) return parent;
  const key = tokens.at(-1) ?? "";
  if (Array.isArray(parent.value)) {
    const index = key === "-" ? parent.value.length : arrayIndex(key, parent.value.length);
    if (index === undefined) return failure(`${pointer(tokens)}: no such place in the list`);
    parent.value.splice(index, 0, value);
  } else if (isObject(parent.value)) {
    setOwn(parent.value, key, value);
  } else {
    return failure(`${pointer(tokens.slice(0, -1))} is neither an object nor a list`);
  }
  return { ok: true };
}

/** Removes a value and gives it back. */
function remove(session: Session, tokens: readonly string[]): Step {
  const found = read(session, tokens);
  if (!found.ok) return found;
  const key = tokens.at(-1);
  const parent = parentOf(session, tokens);
  if (key === undefined || !parent.ok) {
    session.root = null;
  } else if (Array.isArray(parent.value)) {
    parent.value.splice(Number(key), 1);
  } else if (isObject(parent.value)) {
    delete parent.value[key];
  }
  return found;
}

function replace(session: Session, tokens: readonly string[], value: unknown): Step {
  const found = read(session, tokens);
  if (!found.ok) return found;
  const parent = parentOf(session, tokens);
  if (tokens.length > 0 && parent.ok && Array.isArray(parent.value)) {
    parent.value[Number(tokens.at(-1))] = value;
    return { ok: true };
  }
  return add(session, tokens, value);
}

function testValue(session: Session, tokens: readonly string[], expected: unknown): Step {
  const found = read(session, tokens);
  // A test for null holds for a missing member, as Kubernetes' library has it.
  const actual = found.ok ? found.value : null;
  if (equalJson(actual, expected)) return { ok: true };
  return failure(`testing value ${pointer(tokens)} failed`);
}

function move(session: Session, from: readonly string[], to: readonly string[]): Step {
  if (to.length > from.length && from.every((token, index) => token === to[index])) {
    return failure(`cannot move ${pointer(from)} into itself`);
  }
  const removed = remove(session, from);
  return removed.ok ? add(session, to, removed.value) : removed;
}

function copy(session: Session, from: readonly string[], to: readonly string[]): Step {
  const found = read(session, from);
  if (!found.ok) return found;
  session.copied += sizeOf(found.value);
  if (session.copied > MAX_COPIED) return failure("the copies of this patch are too large");
  return add(session, to, cloneJson(found.value));
}

function read(session: Session, tokens: readonly string[]): Step {
  let value = session.root;
  for (const [depth, token] of tokens.entries()) {
    if (Array.isArray(value)) {
      const index = arrayIndex(token, value.length - 1);
      if (index === undefined) return missing(tokens.slice(0, depth + 1));
      value = value[index];
    } else if (isObject(value) && Object.hasOwn(value, token)) {
      value = value[token];
    } else {
      return missing(tokens.slice(0, depth + 1));
    }
  }
  return { ok: true, value };
}

function parentOf(session: Session, tokens: readonly string[]): Step {
  return read(session, tokens.slice(0, -1));
}

function missing(tokens: readonly string[]): Step {
  return failure(`${pointer(tokens)} does not exist`);
}

function failure(message: string): Step {
  return { ok: false, message };
}

function arrayIndex(token: string, max: number): number | undefined {
  if (!/^(?:0|[1-9]\d{0,8})$/.test(token)) return undefined;
  const index = Number(token);
  return index <= max ? index : undefined;
}

function parsePointer(path: unknown): string[] | undefined {
  if (path === "") return [];
  if (typeof path !== "string" || !path.startsWith("/")) return undefined;
  return path
    .slice(1)
    .split("/")
    .map((token) => token.replaceAll("~1", "/").replaceAll("~0", "~"));
}

function pointer(tokens: readonly string[]): string {
  const escaped = tokens.map((token) => token.replaceAll("~", "~0").replaceAll("/", "~1"));
  return JSON.stringify(escaped.map((token) => `/${token}`).join(""));
}

function sizeOf(value: unknown): number {
  if (typeof value === "string") return 1 + value.length / 64;
  if (typeof value !== "object" || value === null) return 1;
  return Object.values(value).reduce((sum: number, member) => sum + sizeOf(member), 1);
}
