/** The order of a merged list, as `$setElementOrder` of a strategic merge patch wishes it. */

import { equalJson, isObject } from "#cluster/apiserver/schema/json.ts";

/**
 * Elements that the patch's author knows stand in the order given; elements that only the server
 * knows stay before those that they stood before in the live list, as far as that is possible.
 */
export function orderElements(
  merged: readonly unknown[],
  live: readonly unknown[],
  order: readonly unknown[],
  keyOf: (item: unknown) => unknown,
): unknown[] {
  const wanted = order.map((item) => (isObject(item) ? keyOf(item) : item));
  const wantedIndex = (item: unknown): number =>
    wanted.findIndex((key) => equalJson(key, keyOf(item)));
  const liveIndex = (item: unknown): number =>
    live.findIndex((known) => equalJson(keyOf(known), keyOf(item)));
  const standsBefore = (a: unknown, b: unknown): boolean =>
    liveIndex(a) >= 0 && liveIndex(b) >= 0 && liveIndex(a) < liveIndex(b);
  const known = merged
    .filter((item) => wantedIndex(item) >= 0)
    .toSorted((a, b) => wantedIndex(a) - wantedIndex(b));
  const serverOnly = merged.filter((item) => wantedIndex(item) < 0);
  const result: unknown[] = [];
  let next = 0;
  for (const item of known) {
    while (next < serverOnly.length && standsBefore(serverOnly[next], item)) {
      result.push(serverOnly[next]);
      next += 1;
    }
    result.push(item);
  }
  return [...result, ...serverOnly.slice(next)];
}
