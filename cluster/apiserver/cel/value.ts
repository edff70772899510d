/** JSON as values of CEL, with the sizes by which an evaluation is bounded. */

import { Duration } from "@marcbachmann/cel-js/evaluator";
import { isObject } from "#cluster/apiserver/schema/json.ts";
import type { Schema } from "#cluster/apiserver/schema/schema.ts";
import { durationOf } from "./library.ts";

/** A value, and the longest list or map and the longest text in it. */
export interface Measured {
  readonly value: unknown;
  readonly longestList: number;
  readonly longestText: number;
}

interface Sizes {
  longestList: number;
  longestText: number;
}

/**
 * Maps instead of objects, so that nothing of a prototype is a field; whole numbers as `int` unless
 * the schema says `number`; times and durations by their format.
 */
export function celValue(json: unknown, schema?: Schema): Measured {
  const sizes: Sizes = { longestList: 0, longestText: 0 };
  const value = convert(json, schema, sizes);
  return { value, ...sizes };
}

function convert(json: unknown, schema: Schema | undefined, sizes: Sizes): unknown {
  if (typeof json === "number") {
    const whole = Number.isInteger(json) && schema?.type !== "number";
    return whole ? BigInt(json) : json;
  }
  if (typeof json === "string") {
    sizes.longestText = Math.max(sizes.longestText, json.length);
    return convertText(json, schema?.format);
  }
  if (Array.isArray(json)) {
    sizes.longestList = Math.max(sizes.longestList, json.length);
    return json.map((item: unknown) => convert(item, schema?.items, sizes));
  }
  if (!isObject(json)) return json;
  const keys = Object.keys(json);
  sizes.longestList = Math.max(sizes.longestList, keys.length);
  const rest = isObject(schema?.additionalProperties) ? schema.additionalProperties : undefined;
  const { properties } = schema ?? {};
  return new Map(
    keys.map((key) => {
      const known =
        properties !== undefined && Object.hasOwn(properties, key) ? properties[key] : rest;
      // Only names of fields are escaped, not keys of maps.
      const name = known === undefined || known === rest ? key : escapeName(key);
      return [name, convert(json[key], known, sizes)];
    }),
  );
}

function convertText(text: string, format: string | undefined): unknown {
  if (format === "date-time") {
    const time = new Date(text);
    return Number.isNaN(time.getTime()) ? text : time;
  }
  if (format === "duration") {
    const duration = durationOf(text);
    return duration instanceof Duration ? duration : text;
  }
  return text;
}

const KEYWORDS = new Set(
  `true false null in as break const continue else for function if import let loop package
   namespace return`.split(/\s+/),
);

/** Field names as rules write them (Kubernetes' docs, "Validation rules"). */
function escapeName(name: string): string {
  if (KEYWORDS.has(name)) return `__${name}__`;
  return name
    .replaceAll("__", "__underscores__")
    .replaceAll(".", "__dot__")
    .replaceAll("-", "__dash__")
    .replaceAll("/", "__slash__");
}
