/** One informer a resource, shared by all components of a process. */

import type { AnyObject } from "#cluster/api/meta.ts";
import { apiVersionOf } from "#cluster/api/resources.ts";
import type { Resource } from "#cluster/api/resources.ts";
import type { KubeClient } from "./client.ts";
import { createInformer } from "./create-informer.ts";
import type { Informer } from "./informer.ts";
import type { Indexes } from "./object-store.ts";

/** Where components get their informers; `run` starts all that were asked for. */
export class InformerSet {
  readonly #client: KubeClient;
  readonly #informers = new Map<string, Informer<AnyObject>>();

  constructor(client: KubeClient) {
    this.#client = client;
  }

  /** Whole objects of all namespaces. Indexes are the first caller's: name them in one place. */
  get<T extends AnyObject>(resource: Resource<T>, indexes: Indexes<T> = {}): Informer<T> {
    const key = `${apiVersionOf(resource)}/${resource.plural}`;
    const known = this.#informers.get(key);
    // A resource's objects have one type, which its token names.
    if (known !== undefined) return known as Informer<T>;
    const informer = createInformer(this.#client, resource, { indexes });
    this.#informers.set(key, informer);
    return informer;
  }

  /** Whether a resource's informer exists already. */
  has(resource: Resource<AnyObject>): boolean {
    return this.#informers.has(`${apiVersionOf(resource)}/${resource.plural}`);
  }

  /** Runs every informer until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    await Promise.all([...this.#informers.values()].map((informer) => informer.run(signal)));
  }
}
