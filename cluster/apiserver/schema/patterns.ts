/** Regular expressions of users, by re2js only: linear in time, so no pattern can stall us. */

import { LRUCache } from "lru-cache";
import { RE2JS } from "re2js";

type Compiled = { ok: true; pattern: RE2JS } | { ok: false; message: string };

const MAX_PATTERN_LENGTH = 8192;
const compiled = new LRUCache<string, Compiled>({ max: 2000 });

/** The message says why a pattern is no RE2 expression; undefined when it is one. */
export function patternError(pattern: string): string | undefined {
  const result = compile(pattern);
  return result.ok ? undefined : result.message;
}

/** Whether an (unanchored) pattern is found in the text; a pattern that can't be read is not. */
export function patternMatches(pattern: string, text: string): boolean {
  const result = compile(pattern);
  return result.ok && result.pattern.matcher(text).find();
}

function compile(pattern: string): Compiled {
  const known = compiled.get(pattern);
  if (known !== undefined) return known;
  const result = parse(pattern);
  compiled.set(pattern, result);
  return result;
}

function parse(pattern: string): Compiled {
  if (pattern.length > MAX_PATTERN_LENGTH) {
    return { ok: false, message: `must be at most ${MAX_PATTERN_LENGTH} characters long` };
  }
  try {
    return { ok: true, pattern: RE2JS.compile(pattern) };
  } catch (error) {
    return { ok: false, message: error instanceof Error ? error.message : String(error) };
  }
}
