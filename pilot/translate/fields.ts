/** Reading single fields of specs: durations, percentages, string matches. */

import { RE2JS } from "re2js";
import type { Percent, StringMatch as StringMatchSpec } from "#crds/types/networking-v1.ts";
import type { StringMatch } from "#pilot/ir/route.ts";
import { cached } from "#pilot/model/cached.ts";
import { parseDuration } from "#pilot/model/duration.ts";
import { type Reporter, error } from "./result.ts";

/** Milliseconds of a duration field; a bad one is reported and left out. */
export function durationMs(
  text: string | undefined,
  report: Reporter,
  path: string,
): number | undefined {
  if (text === undefined || text === "") return undefined;
  const ms = parseDuration(text);
  if (ms === undefined) error(report, path, "InvalidDuration", `${text} is not a duration`);
  else if (ms > MAX_DURATION_MS) {
    error(report, path, "InvalidDuration", `${text} is longer than 292 years`);
    return undefined;
  }
  return ms;
}

/** Envoy counts 64-bit nanoseconds. */
const MAX_DURATION_MS = 9_223_372_036_000;

/** Why Envoy refuses a text inside of a header (a path, a host, a value); undefined if it doesn't. */
export function controlProblem(text: string): string | undefined {
  // oxlint-disable-next-line no-control-regex -- they are what is looked for
  return /[\u0000\r\n]/.test(text) ? "a line break or NUL can't be in a header" : undefined;
}

const MILLION = 1_000_000;

/** Millionths of a Percent; absent means the default, given in percent. */
export function fraction(percent: Percent | undefined, whenAbsent: number): number {
  const value = percent === undefined ? whenAbsent : (percent.value ?? 0);
  return Math.max(0, Math.min(MILLION, Math.round(value * 10_000)));
}

/**
 * A string match; an empty one is only presence. A pattern that Envoy's RE2 would refuse is
 * reported here, because one such pattern makes it refuse everything around it.
 */
export function stringMatch(
  spec: StringMatchSpec | undefined,
  report: Reporter,
  path: string,
): { ok: true; match?: StringMatch } | { ok: false } {
  if (spec?.exact !== undefined) return { ok: true, match: { kind: "exact", value: spec.exact } };
  // Envoy refuses an empty prefix, which every text has.
  if (spec?.prefix === "") return { ok: true };
  if (spec?.prefix !== undefined) {
    return { ok: true, match: { kind: "prefix", value: spec.prefix } };
  }
  if (spec?.regex === undefined) return { ok: true };
  const invalid = regexProblem(spec.regex);
  if (invalid !== undefined) {
    error(report, `${path}.regex`, "InvalidRegex", invalid);
    return { ok: false };
  }
  return { ok: true, match: { kind: "regex", value: spec.regex } };
}

/** Why a pattern is not RE2, or undefined. */
export function regexProblem(pattern: string): string | undefined {
  return checkPattern(patterns, pattern);
}

const patterns = {};
const checkPattern = cached((_owner: object, pattern: string): string | undefined => {
  if (pattern.length > 4096) return "longer than 4096 characters";
  try {
    RE2JS.compile(pattern);
    return undefined;
  } catch (cause) {
    return cause instanceof Error ? cause.message : String(cause);
  }
}, 256);

/** The field where there is a value: absent ones are left out of the IR. */
export function numberField<K extends string>(
  name: K,
  value: number | null | undefined,
): { [field in K]?: number } {
  return (value === undefined || value === null ? {} : { [name]: value }) as { [f in K]?: number };
}
