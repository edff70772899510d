/** Comparing host names that may be wildcards (`*`, `*.example.org`). */

import { type Hostname, indexedHost } from "./name.ts";

export function isWildcard(host: string): boolean {
  return host.startsWith("*");
}

/** Whether a name, or every name of a wildcard, is covered by `pattern`. */
export function covers(pattern: string, host: string): boolean {
  if (pattern === host) return true;
  if (!isWildcard(pattern)) return false;
  const suffix = pattern.slice(1);
  const rest = isWildcard(host) ? host.slice(1) : host;
  return rest.endsWith(suffix) && (isWildcard(host) || rest.length > suffix.length);
}

/** Whether some name is covered by both. */
export function overlaps(left: string, right: string): boolean {
  return covers(left, right) || covers(right, left);
}

/** `a.b.c` → `*.b.c`, `*.c`, `*`: the wildcards that could cover a name, most specific first. */
export function wildcardsOf(host: Hostname): Hostname[] {
  const wildcards: Hostname[] = [];
  const labels = host.split(".");
  const first = isWildcard(host) ? 2 : 1;
  for (let cut = first; cut < labels.length; cut++) {
    wildcards.push(indexedHost(`*.${labels.slice(cut).join(".")}`));
  }
  if (host !== "*") wildcards.push(indexedHost("*"));
  return wildcards;
}
