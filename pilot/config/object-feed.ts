import { EventQueue } from "./event-queue.ts";
import { HttpRouteFeed } from "./http-route-feed.ts";
import { IngressFeed } from "./ingress-feed.ts";
import type { Change } from "#pilot/model/change.ts";
import type { ObjectKey } from "#pilot/model/name.ts";
import { DEFAULT_MESH } from "#pilot/model/mesh-config.ts";
import type { Problem } from "#pilot/model/problem.ts";
import { Registry } from "#pilot/registry/registry.ts";
import type { PlatformEvent } from "#pilot/registry/registry.ts";
import { UnsupportedObjects } from "#pilot/registry/unsupported.ts";

export interface ObjectFeedOptions {
  /** Gets the model's changes, in order. */
  apply: (changes: readonly Change[]) => void;
  log: (line: string) => void;
  clusterDomain: string;
  /** Name of the cluster that configuration comes from; Istio's `Kubernetes` when absent. */
  clusterId?: string;
  /** The cluster's DNS answers with the addresses that ServiceEntries were given. */
  dnsTellsAllocated?: boolean;
  /** Hears of every object before anything is made of it. */
  observe?: (event: PlatformEvent) => void;
  /** Hears of HTTPRoutes about whose parents there may be something else to say than before. */
  onVerdict?: (key: ObjectKey) => void;
}

/** Where a source brings what it sees. */
export interface EventSink {
  handle(event: PlatformEvent): void;
}

/** One of those who make changes of the model from objects. */
type EventHandler = (event: PlatformEvent) => readonly Change[];

/** Where all adapters lead: platform objects become changes of the model here, whatever they come from. */
export class ObjectFeed implements EventSink {
  readonly #options: ObjectFeedOptions;
  readonly #registry: Registry;
  readonly #ingresses: IngressFeed;
  readonly #routes: HttpRouteFeed;
  readonly #unsupported = new UnsupportedObjects();
  /** Each makes its own objects of an event; their changes take effect together. */
  readonly #handlers: readonly EventHandler[];
  readonly #queue = new EventQueue<PlatformEvent>((event) => this.#take(event));

  constructor(options: ObjectFeedOptions) {
    const { clusterDomain, clusterId = DEFAULT_MESH.clusterId } = options;
    const { dnsTellsAllocated = false } = options;
    this.#options = options;
    this.#registry = new Registry({
      mesh: { ...DEFAULT_MESH, clusterDomain, clusterId, dnsTellsAllocated },
    });
    this.#ingresses = new IngressFeed(clusterDomain);
    const { onVerdict } = options;
    this.#routes = new HttpRouteFeed({ clusterDomain, ...(onVerdict && { onVerdict }) });
    this.#handlers = [
      (event) => this.#registry.handle(event),
      (event) => (event.cluster === undefined ? this.#ingresses.handle(event) : []),
      (event) => (event.cluster === undefined ? this.#routes.handle(event) : []),
    ];
    options.apply(this.#registry.initialChanges());
  }

  /** An object that can't be converted is reported; the world goes on with the others. */
  handle(event: PlatformEvent): void {
    this.#queue.add(event);
  }

  /** Resolves when everything that was brought so far is part of the changes. */
  drained(): Promise<void> {
    return this.#queue.drained();
  }

  #take(event: PlatformEvent): void {
    this.#options.observe?.(event);
    this.#unsupported.handle(event);
    try {
      this.#options.apply(this.#handlers.flatMap((handler) => handler(event)));
    } catch (error) {
      const { kind, metadata } = event.object;
      const name = `${kind} ${metadata.namespace ?? ""}/${metadata.name}`;
      this.#options.log(`${name} can't be read: ${error instanceof Error ? error.stack : ""}`);
    }
  }

  /** What became of the parents of an HTTPRoute; undefined where there is none. */
  parentsOf(key: string): ReturnType<HttpRouteFeed["parentsOf"]> {
    return this.#routes.parentsOf(key);
  }

  /** What is wrong with objects by themselves. */
  problems(): readonly Problem[] {
    return [
      ...this.#registry.problems(),
      ...this.#ingresses.problems,
      ...this.#routes.problems(),
      ...this.#unsupported.problems(),
    ];
  }
}
