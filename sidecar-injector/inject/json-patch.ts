/** What differs between two objects, as the JSON Patch (RFC 6902) that a webhook answers with. */

export interface PatchOperation {
  op: "add" | "remove";
  path: string;
  value?: unknown;
}

/**
 * Operations on members of `metadata` and `spec` (`add` replaces what is there): coarse on purpose,
 * because an injected pod changes few members and each as a whole.
 */
export function patchBetween(
  before: Readonly<Record<string, unknown>>,
  after: Readonly<Record<string, unknown>>,
): PatchOperation[] {
  return ["metadata", "spec"].flatMap((part) => {
    const old = before[part];
    if (!isRecord(old)) {
      return after[part] === undefined
        ? []
        : [{ op: "add" as const, path: `/${part}`, value: after[part] }];
    }
    const updated = isRecord(after[part]) ? after[part] : {};
    const names = [...new Set([...Object.keys(old), ...Object.keys(updated)])].toSorted();
    return names.flatMap((name): PatchOperation[] => {
      const value = Object.hasOwn(updated, name) ? updated[name] : undefined;
      const path = `/${part}/${name}`;
      if (value === undefined) return [{ op: "remove", path }];
      const same = Object.hasOwn(old, name) && JSON.stringify(old[name]) === JSON.stringify(value);
      return same ? [] : [{ op: "add", path, value }];
    });
  });
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
