/** Informers of every resource that the server offers, as they come and go with CRDs. */

import type { AnyObject, KubeObject } from "#cluster/api/meta.ts";
import { apiVersionOf } from "#cluster/api/resources.ts";
import type { Resource } from "#cluster/api/resources.ts";
import type { KubeClient } from "#cluster/client/client.ts";
import { createInformer } from "#cluster/client/create-informer.ts";
import type { ServedResource } from "#cluster/client/discovery.ts";
import type { Change, Informer } from "#cluster/client/informer.ts";

/** Events own nothing and are many; `events.k8s.io` are the same objects. */
const IGNORED = new Set(["/events", "events.k8s.io/events"]);

export interface MonitorOptions {
  client: KubeClient;
  onChange: (resource: Resource, change: Change<AnyObject>) => void;
  signal: AbortSignal;
}

interface Monitor {
  resource: Resource;
  informer: Informer<KubeObject>;
  stop: AbortController;
}

/** Each informer keeps metadata only. */
export class ResourceMonitors {
  readonly #options: MonitorOptions;
  readonly #monitors = new Map<string, Monitor>();

  constructor(options: MonitorOptions) {
    this.#options = options;
    options.signal.addEventListener("abort", () => {
      for (const { stop } of this.#monitors.values()) stop.abort();
    });
  }

  /** Starts what is new, ends what is gone; resolves when all that run have their first list. */
  async follow(served: readonly ServedResource[]): Promise<void> {
    const wanted = new Map(served.filter(isCollectable).map((one) => [keyOf(one), one]));
    for (const [key, { stop, informer, resource }] of this.#monitors) {
      if (wanted.has(key)) continue;
      stop.abort();
      this.#monitors.delete(key);
      for (const object of informer.lister.list()) {
        this.#options.onChange(resource, { kind: "deleted", object });
      }
    }
    for (const [key, one] of wanted) {
      if (!this.#monitors.has(key)) this.#monitors.set(key, this.#start(one));
    }
    await Promise.all([...this.#monitors.values()].map(({ informer }) => informer.synced));
  }

  /** The resource of an owner reference; any served version of the group will do. */
  resolve(apiVersion: string, kind: string): Resource | undefined {
    const group = apiVersion.includes("/") ? (apiVersion.split("/")[0] ?? "") : "";
    for (const { resource } of this.#monitors.values()) {
      if (resource.group === group && resource.kind === kind) return resource;
    }
    return undefined;
  }

  #start({ group, version, plural, kind, namespaced }: ServedResource): Monitor {
    const resource: Resource = { group, version, plural, kind, namespaced };
    const stop = new AbortController();
    const informer = createInformer(this.#options.client, resource, { transform: metadataOnly });
    informer.onChange((change) => this.#options.onChange(resource, change));
    if (this.#options.signal.aborted) stop.abort();
    void informer.run(stop.signal);
    return { resource, informer, stop };
  }
}

function isCollectable(resource: ServedResource): boolean {
  const verbs = ["list", "watch", "delete"];
  return (
    verbs.every((verb) => resource.verbs.includes(verb)) &&
    !IGNORED.has(`${resource.group}/${resource.plural}`)
  );
}

function keyOf(resource: ServedResource): string {
  return `${apiVersionOf(resource)}/${resource.plural}`;
}

function metadataOnly({ metadata }: KubeObject): KubeObject {
  const { name, namespace, uid, resourceVersion } = metadata;
  const { ownerReferences, finalizers, deletionTimestamp } = metadata;
  return {
    metadata: {
      name,
      namespace,
      uid,
      resourceVersion,
      ownerReferences,
      finalizers,
      deletionTimestamp,
    },
  };
}
