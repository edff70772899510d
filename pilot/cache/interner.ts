import { encodeResource } from "./resource.ts";
import type { EncodedResource, EncodedResult, ResourceInput } from "./resource.ts";

/**
 * Encodes each message object once, and keeps one copy of equal resources: classes of proxies that
 * see the same thing share its bytes. Both memories hold on to nothing that is not in use.
 */
export class ResourceInterner {
  readonly #byMessage = new WeakMap<object, EncodedResult>();
  readonly #byContent = new Map<string, WeakRef<EncodedResource>>();
  readonly #dropped = new FinalizationRegistry<string>((key) => {
    if (this.#byContent.get(key)?.deref() === undefined) this.#byContent.delete(key);
  });

  /** The same message object must always come with the same type, name and origins. */
  encode(input: ResourceInput): EncodedResult {
    const known = this.#byMessage.get(input.message);
    if (known !== undefined) return known;
    const encoded = encodeResource(input);
    const result: EncodedResult = encoded.ok
      ? { ok: true, resource: this.#intern(encoded.resource) }
      : encoded;
    this.#byMessage.set(input.message, result);
    return result;
  }

  /** Distinct resources in memory; some of them may be waiting for garbage collection. */
  get size(): number {
    return this.#byContent.size;
  }

  /** Origins are part of the identity: equal bytes may come from different objects. */
  #intern(resource: EncodedResource): EncodedResource {
    const origins = resource.origins.map((origin) => `${origin.object} ${origin.path}`).join("\n");
    const { type, name, version, isPatched = false } = resource;
    const key = `${type}\n${name}\n${version}\n${isPatched}\n${origins}`;
    const known = this.#byContent.get(key)?.deref();
    if (known !== undefined) return known;
    this.#byContent.set(key, new WeakRef(resource));
    this.#dropped.register(resource, key);
    return resource;
  }
}
