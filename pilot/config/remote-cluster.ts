import { setTimeout as delay } from "node:timers/promises";
import type { KubeObject } from "#cluster/api/meta.ts";
import type { KubeClient } from "#cluster/client/client.ts";
import type { PlatformEvent } from "#pilot/registry/registry.ts";
import { startRemoteSource } from "./kubernetes-source.ts";
import type { EventSink } from "./object-feed.ts";

/** `syncing` until everything is delivered, `away` while the API server doesn't answer. */
export type RemoteState = "syncing" | "synced" | "away";

export interface RemoteClusterOptions {
  readonly id: string;
  readonly client: KubeClient;
  readonly feed: EventSink;
  readonly log: (line: string) => void;
  /** The same cluster by an older kubeconfig; it goes on until this one is synced. */
  readonly previous?: RemoteCluster;
  readonly onChange: () => void;
  readonly probeMs?: number;
}

const PROBE_MS = 10_000;

/**
 * One further cluster, followed. While it is away what was known of it stays; when it is removed
 * everything is taken back.
 */
export class RemoteCluster {
  readonly #options: RemoteClusterOptions;
  readonly #stop = new AbortController();
  readonly #delivered = new Map<string, KubeObject>();
  readonly #predecessors: RemoteCluster[];
  #synced = false;
  #trouble: string | undefined;
  /** Resolves when everything that exists there has been delivered, or it is closed. */
  readonly synced: Promise<void>;

  constructor(options: RemoteClusterOptions) {
    this.#options = options;
    const { previous } = options;
    this.#predecessors = previous === undefined ? [] : [...previous.#predecessors, previous];
    this.synced = this.#run();
    void this.#probe();
  }

  get state(): RemoteState {
    if (this.#trouble !== undefined) return "away";
    return this.#synced ? "synced" : "syncing";
  }

  /** Why its API server can't be asked; undefined while it can. */
  get trouble(): string | undefined {
    return this.#trouble;
  }

  /** Stops; what is known stays. */
  close(): void {
    for (const one of this.#predecessors.splice(0)) one.close();
    this.#stop.abort();
    this.#options.client.close();
  }

  /** Stops, and takes everything back. */
  remove(): void {
    const known = new Map(this.#predecessors.flatMap((one) => [...one.#delivered]));
    for (const [id, object] of this.#delivered) known.set(id, object);
    this.close();
    for (const object of known.values()) this.#tell({ type: "delete", object });
  }

  async #run(): Promise<void> {
    const { client, log, id, onChange } = this.#options;
    const feed = { handle: (event: PlatformEvent) => this.#deliver(event) };
    await startRemoteSource({ client, feed, log, signal: this.#stop.signal, cluster: id });
    if (this.#stop.signal.aborted) return;
    this.#synced = true;
    this.#supersede();
    log(`remote cluster ${id}: synced`);
    onChange();
  }

  #deliver(event: PlatformEvent): void {
    if (this.#stop.signal.aborted) return;
    const key = keyOf(event.object);
    if (event.type === "delete") this.#delivered.delete(key);
    else this.#delivered.set(key, event.object);
    this.#tell(event);
  }

  #tell(event: PlatformEvent): void {
    this.#options.feed.handle({ ...event, cluster: this.#options.id });
  }

  /** Takes back what only the older kubeconfigs have shown. */
  #supersede(): void {
    for (const one of this.#predecessors.splice(0)) {
      one.close();
      for (const [key, object] of one.#delivered) {
        const now = this.#delivered.get(key);
        this.#tell(
          now === undefined ? { type: "delete", object } : { type: "upsert", object: now },
        );
      }
    }
  }

  /** Informers try again by themselves; this is for those who want to know. */
  async #probe(): Promise<void> {
    const { client, id, log, onChange, probeMs = PROBE_MS } = this.#options;
    const { signal } = this.#stop;
    while (!signal.aborted) {
      const trouble = await client.raw("/readyz", signal).then(
        ({ code, body }) => (code < 400 ? undefined : `/readyz: ${code} ${body.slice(0, 200)}`),
        (error: unknown) => (error instanceof Error ? error.message : String(error)),
      );
      if (signal.aborted) return;
      if (trouble !== this.#trouble) {
        this.#trouble = trouble;
        log(`remote cluster ${id}: ${trouble ?? "answers again"}`);
        onChange();
      }
      await delay(probeMs, undefined, { signal, ref: false }).catch(() => undefined);
    }
  }
}

function keyOf({ kind, metadata }: KubeObject): string {
  return `${kind}/${metadata.namespace ?? ""}/${metadata.name}`;
}
