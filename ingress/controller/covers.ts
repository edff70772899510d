/**
 * Whether an object already says everything that is wanted: every member of `wanted` is in `actual`
 * with the same value. Lists must have the same length and each element must be covered, so what a
 * server defaults or others add to maps is no difference.
 */
export function covers(actual: unknown, wanted: unknown): boolean {
  if (Array.isArray(wanted)) {
    return (
      Array.isArray(actual) &&
      actual.length === wanted.length &&
      wanted.every((item, index) => covers(actual[index], item))
    );
  }
  if (isRecord(wanted)) {
    return (
      isRecord(actual) &&
      Object.entries(wanted).every(
        ([key, value]) => Object.hasOwn(actual, key) && covers(actual[key], value),
      )
    );
  }
  return actual === wanted;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
