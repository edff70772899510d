import type { EnvoyResource } from "#pilot/envoy/build.ts";

/** What patches have changed, as it was before: for clients that refuse the patched form. */
export class UnpatchedForms {
  readonly #byKey = new Map<string, { resource: EnvoyResource; isUsed: boolean }>();

  /** By type and name; the client may have it from now on. */
  use(key: string): EnvoyResource | undefined {
    const known = this.#byKey.get(key);
    if (known !== undefined) known.isUsed = true;
    return known?.resource;
  }

  delete(key: string): void {
    this.#byKey.delete(key);
  }

  /** Notes what a resource is now; true if some client may have another form than this. */
  keep(key: string, { name, unpatched }: EnvoyResource): boolean {
    const before = this.#byKey.get(key);
    const now = unpatched?.resource;
    if (now === undefined || now.name !== name) {
      this.#byKey.delete(key);
      return false;
    }
    if (before?.resource.message === now.message) return false;
    this.#byKey.set(key, { resource: now, isUsed: false });
    return before?.isUsed ?? false;
  }
}
