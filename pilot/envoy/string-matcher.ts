/** type.matcher.v3.StringMatcher. */

import type { StringMatch } from "#pilot/ir/route.ts";

export function stringMatcher(match: StringMatch): object {
  switch (match.kind) {
    case "exact":
      return { exact: match.value, ...(match.ignoreCase === true ? { ignoreCase: true } : {}) };
    case "prefix":
      return { prefix: match.value, ...(match.ignoreCase === true ? { ignoreCase: true } : {}) };
    case "regex":
      return { safeRegex: { regex: match.value } };
  }
}
