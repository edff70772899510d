/** What a proxy makes of a request's path before it looks at its routes. */

import type { Listener } from "#pilot/ir/listener.ts";

/**
 * Envoy's `normalize_path`, `merge_slashes` and `path_with_escaped_slashes_action`: escaped slashes
 * first, then dot segments and needless escapes, then empty segments. The query stays as it is.
 */
export function normalizePath(target: string, how: Listener["pathNormalization"]): string {
  if (how === "NONE") return target;
  const at = target.search(/[?#]/);
  const path = at < 0 ? target : target.slice(0, at);
  const rest = at < 0 ? "" : target.slice(at);
  const decodes = how === "DECODE_AND_MERGE_SLASHES";
  const slashed = decodes ? path.replaceAll(/%2f/gi, "/").replaceAll(/%5c/gi, "\\") : path;
  const canonical = withoutDots(unescaped(slashed).replaceAll("\\", "/"));
  return (decodes || how === "MERGE_SLASHES" ? merged(canonical) : canonical) + rest;
}

/** Of nothing but slashes Envoy leaves two: what is before the first segment and behind the last. */
function merged(path: string): string {
  return /^\/\/+$/.test(path) ? "//" : path.replaceAll(/\/+/g, "/");
}

/** Unreserved characters need no escape (RFC 3986, "Percent-Encoding Normalization"). */
function unescaped(path: string): string {
  return path.replaceAll(/%([0-9a-f]{2})/gi, (escape, hex: string) => {
    const character = String.fromCodePoint(Number.parseInt(hex, 16));
    return /[A-Za-z0-9\-._~]/.test(character) ? character : escape;
  });
}

/** `/a/./b/../c` is `/a/c`; what ends in a dot segment ends in a slash. */
function withoutDots(path: string): string {
  const segments = path.split("/").slice(1);
  const kept: string[] = [];
  for (const [index, segment] of segments.entries()) {
    const isLast = index === segments.length - 1;
    if (segment !== "." && segment !== "..") {
      kept.push(segment);
      continue;
    }
    if (segment === "..") kept.pop();
    if (isLast) kept.push("");
  }
  return `/${kept.join("/")}`;
}
