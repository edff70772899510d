/**
 * Whether a field of a spec does anything: an object of a world is given other values of it, and
 * what proxies are told and what its author is told are compared.
 */

import type { CrdSchema } from "#crds/load.ts";
import type { KubeObject } from "#cluster/api/meta.ts";
import { Registry } from "#pilot/registry/registry.ts";
import { type World, contextOf, resourcesFor, translateFor, wholeIr } from "./world.ts";

/** A field that holds no others, by the names on the way to it: `http`, `[]`, `timeout`. */
export interface Leaf {
  readonly path: readonly string[];
  readonly schema: CrdSchema;
}

/** All leaves of a schema; `[]` is any element of a list, `{}` any value of a map. */
export function leavesOf(schema: CrdSchema, path: readonly string[] = []): Leaf[] {
  if (schema.properties !== undefined) {
    return Object.entries(schema.properties).flatMap(([name, child]) =>
      leavesOf(child, [...path, name]),
    );
  }
  if (schema.items?.type === "object") return leavesOf(schema.items, [...path, "[]"]);
  if (schema.additionalProperties?.type === "object") {
    return leavesOf(schema.additionalProperties, [...path, "{}"]);
  }
  return [{ path, schema }];
}

export function textOf(path: readonly string[]): string {
  return path.join(".").replaceAll(".[]", "[]").replaceAll(".{}", "{}");
}

/** What came of a field: seen by proxies, or only by its author, for these reasons. */
export type Verdict =
  | { readonly kind: "honoured"; readonly world: string }
  | { readonly kind: "told"; readonly reason: string }
  | { readonly kind: "silent" };

export interface NamedWorld extends World {
  readonly name: string;
}

/** Tries a leaf in every world that has objects of the kind, where the leaf is used first. */
export function tryLeaf(kind: string, leaf: Leaf, worlds: readonly NamedWorld[]): Verdict {
  const places = worlds
    .flatMap((world) =>
      world.objects
        .filter((object) => object.kind === kind)
        .flatMap((object) =>
          placesOf(object, leaf.path).map((place) => ({ world, object, ...place })),
        ),
    )
    .toSorted((left, right) => right.known - left.known)
    .slice(0, MAX_PLACES);
  const reasons = new Set<string>();
  for (const { world, object, keys } of places) {
    const base = outcomeOf(world, object, keys, undefined);
    for (const value of valuesOf(leaf, worlds, kind)) {
      const then = outcomeOf(world, object, keys, value);
      if (then.resources !== base.resources) return { kind: "honoured", world: world.name };
      for (const { reason, path } of then.problems) {
        if (isAbout(path, leaf) && REASONS.has(reason)) reasons.add(reason);
      }
    }
  }
  if (reasons.size > 0) return { kind: "told", reason: [...reasons].toSorted().join(", ") };
  return { kind: "silent" };
}

/** A field without effect, not one that is only given a wrong value. */
const REASONS: ReadonlySet<string> = new Set([
  "MeshTlsInstead",
  "NoEffect",
  "NotApplicable",
  "NotSupportedYet",
  "Unsupported",
]);

/** A problem's path is the field's, or that of a part that holds it. */
function isAbout(path: string, leaf: Leaf): boolean {
  const told = path.replaceAll(/\[\d+\]/g, "[]");
  const whole = `spec.${textOf(leaf.path)}`;
  return whole === told || whole.startsWith(`${told}.`) || whole.startsWith(`${told}[`);
}

const MAX_PLACES = 24;

interface Place {
  readonly keys: readonly (string | number)[];
  /** How much of the way is there already. */
  readonly known: number;
}

function placesOf(object: KubeObject, path: readonly string[]): Place[] {
  let places: { keys: (string | number)[]; known: number; value: unknown }[] = [
    { keys: ["spec"], known: 0, value: object.spec },
  ];
  for (const step of path) {
    places = places.flatMap(({ keys, known, value }) => {
      const names = namesAt(step, value);
      return names.map((name) => {
        const child = childOf(value, name);
        return {
          keys: [...keys, name],
          known: known + (child === undefined ? 0 : 1),
          value: child,
        };
      });
    });
  }
  return places;
}

function namesAt(step: string, value: unknown): (string | number)[] {
  if (step === "[]") {
    const length = Array.isArray(value) ? value.length : 0;
    return length === 0 ? [0] : Array.from({ length }, (_none, at) => at);
  }
  if (step !== "{}") return [step];
  const keys = Object.keys(Object(value));
  return keys.length === 0 ? ["x-key"] : keys;
}

function childOf(value: unknown, name: string | number): unknown {
  return typeof value === "object" && value !== null ? Reflect.get(value, name) : undefined;
}

interface Outcome {
  readonly resources: string;
  readonly problems: readonly { readonly reason: string; readonly path: string }[];
}

/** The world with a value put at a place, its containers made; undefined: the containers only. */
function outcomeOf(
  world: NamedWorld,
  object: KubeObject,
  keys: readonly (string | number)[],
  value: unknown,
): Outcome {
  const copy = structuredClone(object);
  put(copy, keys, value);
  return told({
    ...world,
    objects: world.objects.map((one) => (one === object ? copy : one)),
  });
}

function put(target: object, keys: readonly (string | number)[], value: unknown): void {
  let at = target;
  for (const [index, key] of keys.slice(0, -1).entries()) {
    let child = childOf(at, key);
    if (typeof child !== "object" || child === null) {
      child = typeof keys[index + 1] === "number" ? [] : {};
      Reflect.set(at, key, child);
    }
    at = child as object;
  }
  const last = keys.at(-1)!;
  if (value === undefined) Reflect.deleteProperty(at, last);
  else Reflect.set(at, last, value);
}

/** All that proxies and authors are told. */
export function told(world: World): Outcome {
  const registry = new Registry();
  const context = contextOf(world.objects, registry);
  const { resources, problems } = resourcesFor(context, world.proxy);
  const ir = wholeIr(translateFor(context, world.proxy));
  const all = [...registry.problems(), ...problems, ...ir.problems];
  return {
    resources: JSON.stringify(resources.map(({ name, message }) => [name, message])),
    problems: all,
  };
}

/** What a field may be given: what worlds give it, and samples that its schema allows. */
function valuesOf(leaf: Leaf, worlds: readonly NamedWorld[], kind: string): unknown[] {
  const given = worlds.flatMap((world) =>
    world.objects
      .filter((object) => object.kind === kind)
      .flatMap((object) =>
        placesOf(object, leaf.path)
          .map(({ keys }) => keys.reduce<unknown>((at, key) => childOf(at, key), object))
          .filter((value) => value !== undefined),
      ),
  );
  const all = [...given, ...samplesOf(leaf.schema)].map((value) => JSON.stringify(value));
  return [...new Set(all)].slice(0, 14).map((text) => JSON.parse(text) as unknown);
}

const TEXTS = ["a", "7s", "1.5", "203.0.113.0/24", "other", "*.example.org", "/x", "TCP"];

function samplesOf(schema: CrdSchema): unknown[] {
  if (schema.enum !== undefined) return schema.enum;
  if (schema.items !== undefined) return samplesOf(schema.items).map((value) => [value]);
  if (schema.additionalProperties !== undefined) {
    return samplesOf(schema.additionalProperties).map((value) => ({ "x-key": value }));
  }
  switch (schema.type ?? "") {
    case "boolean":
      return [true, false];
    case "integer":
      return [7, 80, 503, 1025];
    case "number":
      return [7.5, 0.5];
    case "string": {
      const { pattern } = schema as { pattern?: string };
      return TEXTS.filter((text) => pattern === undefined || new RegExp(pattern).test(text));
    }
    default:
      return [{ "x-key": 7 }];
  }
}
