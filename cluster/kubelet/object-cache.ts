/** ConfigMaps and Secrets that pods of this node use, each followed by a watch of its own. */

import type { ConfigMap, Secret } from "#cluster/api/generated/core-v1.ts";
import type { AnyObject } from "#cluster/api/meta.ts";
import { CONFIG_MAPS, type Resource, SECRETS } from "#cluster/api/resources.ts";
import type { KubeClient } from "#cluster/client/client.ts";
import { createInformer } from "#cluster/client/create-informer.ts";
import type { Informer } from "#cluster/client/informer.ts";

interface Entry<T extends AnyObject> {
  informer: Informer<T>;
  stop: AbortController;
  /** Uids of the pods that use the object. */
  users: Set<string>;
}

/** A node may only read what its pods refer to, so there is a watch an object, not a namespace. */
class ObjectWatches<T extends AnyObject> {
  readonly #client: KubeClient;
  readonly #resource: Resource<T>;
  readonly #onChange: (podUid: string) => void;
  readonly #entries = new Map<string, Entry<T>>();

  constructor(client: KubeClient, resource: Resource<T>, onChange: (podUid: string) => void) {
    this.#client = client;
    this.#resource = resource;
    this.#onChange = onChange;
  }

  /** Begins to follow the objects for a pod and no others; resolves when all are known. */
  async use(podUid: string, namespace: string, names: ReadonlySet<string>): Promise<void> {
    const wanted = new Set([...names].map((name) => `${namespace}/${name}`));
    for (const [key, entry] of this.#entries) {
      if (wanted.has(key) || !entry.users.delete(podUid) || entry.users.size > 0) continue;
      entry.stop.abort();
      this.#entries.delete(key);
    }
    await Promise.all(
      [...names].map((name) => {
        const key = `${namespace}/${name}`;
        const entry = this.#entries.get(key) ?? this.#follow(key, namespace, name);
        entry.users.add(podUid);
        return entry.informer.synced;
      }),
    );
  }

  get(namespace: string, name: string): T | undefined {
    return this.#entries.get(`${namespace}/${name}`)?.informer.lister.get(namespace, name);
  }

  stop(): void {
    for (const entry of this.#entries.values()) entry.stop.abort();
    this.#entries.clear();
  }

  #follow(key: string, namespace: string, name: string): Entry<T> {
    const informer = createInformer(this.#client, this.#resource, {
      namespace,
      fieldSelector: `metadata.name=${name}`,
    });
    const entry: Entry<T> = { informer, stop: new AbortController(), users: new Set() };
    informer.onChange(() => {
      for (const uid of entry.users) this.#onChange(uid);
    });
    void informer.run(entry.stop.signal);
    this.#entries.set(key, entry);
    return entry;
  }
}

export class ObjectCache {
  readonly #configMaps: ObjectWatches<ConfigMap>;
  readonly #secrets: ObjectWatches<Secret>;

  /** `onChange` gets the uid of each pod that uses a changed object. */
  constructor(client: KubeClient, onChange: (podUid: string) => void) {
    this.#configMaps = new ObjectWatches(client, CONFIG_MAPS, onChange);
    this.#secrets = new ObjectWatches(client, SECRETS, onChange);
  }

  /** Follows what a pod refers to; resolves when everything that exists is known. */
  async use(
    podUid: string,
    namespace: string,
    names: { configMaps: ReadonlySet<string>; secrets: ReadonlySet<string> },
  ): Promise<void> {
    await Promise.all([
      this.#configMaps.use(podUid, namespace, names.configMaps),
      this.#secrets.use(podUid, namespace, names.secrets),
    ]);
  }

  configMap(namespace: string, name: string): ConfigMap | undefined {
    return this.#configMaps.get(namespace, name);
  }

  secret(namespace: string, name: string): Secret | undefined {
    return this.#secrets.get(namespace, name);
  }

  stop(): void {
    this.#configMaps.stop();
    this.#secrets.stop();
  }
}
