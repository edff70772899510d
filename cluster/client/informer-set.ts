/** One informer a resource, shared by all components of a process. */

import type { AnyObject } from "#cluster/api/meta.ts";
import { apiVersionOf } from "#cluster/api/resources.ts";
import type { Resource } from "#cluster/api/resources.ts";
import type { KubeClient } from "./client.ts";
import { ListWatchInformer } from "./create-informer.ts";
import type { Indexes } from "./object-store.ts";

/** Where components get their informers; `run` starts all that were asked for. */
export class InformerSet {
  readonly #client: KubeClient;
  readonly #informers = new Map<string, { run(signal: AbortSignal): Promise<void> }>();

  constructor(client: KubeClient) {
    this.#client = client;
  }

  /**
   * The informer of all namespaces' whole objects. Indexes of several callers add up; the same name
   * must mean the same.
   */
  get<T extends AnyObject>(resource: Resource<T>, indexes: Indexes<T> = {}): ListWatchInformer<T> {
    const key = `${apiVersionOf(resource)}/${resource.plural}`;
    // A resource's objects have one type, which its token names.
    const known = this.#informers.get(key) as ListWatchInformer<T> | undefined;
    const informer = known ?? new ListWatchInformer(this.#client, resource, {});
    informer.addIndexes(indexes);
    this.#informers.set(key, informer);
    return informer;
  }

  /** Runs every informer until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    await Promise.all([...this.#informers.values()].map((informer) => informer.run(signal)));
  }
}
