/**
 * Further clusters of the mesh (Istio, "remote secrets"): Secrets of the root namespace with the
 * label `istio/multiCluster=true`, each key a cluster's ID, each value a kubeconfig.
 */

import { setTimeout as delay } from "node:timers/promises";
import type { Secret } from "#cluster/api/generated/core-v1.ts";
import { SECRETS } from "#cluster/api/resources.ts";
import type { KubeClient } from "#cluster/client/client.ts";
import { createInformer } from "#cluster/client/create-informer.ts";
import { createClient } from "#cluster/client/http-client.ts";
import { type ClientConfig, parseForeignKubeconfig } from "#cluster/client/kubeconfig.ts";
import { objectKey } from "#pilot/model/name.ts";
import type { Problem } from "#pilot/model/problem.ts";
import type { EventSink } from "./object-feed.ts";
import { RemoteCluster, type RemoteState } from "./remote-cluster.ts";

export interface RemoteClustersOptions {
  /** Of the cluster that configuration comes from. */
  readonly client: KubeClient;
  readonly rootNamespace: string;
  /** Its own ID, which no Secret may take. */
  readonly clusterId: string;
  readonly feed: EventSink;
  readonly log: (line: string) => void;
  readonly signal: AbortSignal;
  /** Something about the clusters is different now. */
  readonly onChange?: () => void;
  readonly connect?: (config: ClientConfig) => KubeClient;
  /** How long a start waits for clusters that don't answer. */
  readonly patienceMs?: number;
  readonly probeMs?: number;
}

export interface RemoteClusterStatus {
  readonly id: string;
  readonly secret: string;
  readonly state: RemoteState;
}

const SELECTOR = "istio/multiCluster=true";
const PATIENCE_MS = 10_000;
const CLUSTER_ID = /^[a-zA-Z0-9](?:[-_.a-zA-Z0-9]{0,251}[a-zA-Z0-9])?$/;

interface Wanted {
  readonly secret: string;
  readonly kubeconfig: string;
}

interface Running {
  wanted: Wanted;
  cluster: RemoteCluster;
}

/** Level-triggered: after each change of a Secret what runs is brought to what all of them say. */
export class RemoteClusters {
  readonly #options: RemoteClustersOptions;
  readonly #secrets = new Map<string, Secret>();
  readonly #running = new Map<string, Running>();
  readonly #problems = new Map<string, Problem>();
  #work: Promise<void> = Promise.resolve();

  constructor(options: RemoteClustersOptions) {
    this.#options = options;
  }

  /** Resolves when all clusters are delivered, or have been waited for long enough. */
  async start(): Promise<void> {
    const { client, rootNamespace, signal, log, patienceMs = PATIENCE_MS } = this.#options;
    const informer = createInformer<Secret>(client, SECRETS, {
      namespace: rootNamespace,
      labelSelector: SELECTOR,
    });
    informer.onChange(({ kind, object }) => {
      if (kind === "deleted") this.#secrets.delete(object.metadata.name);
      else this.#secrets.set(object.metadata.name, object);
      this.#work = this.#work.then(() => this.#reconcile());
    });
    signal.addEventListener("abort", () => {
      for (const { cluster } of this.#running.values()) cluster.close();
    });
    const run = informer.run(signal);
    const synced = Promise.race([informer.synced, run])
      .then(() => this.#work)
      .then(() => Promise.all([...this.#running.values()].map(({ cluster }) => cluster.synced)));
    const patience = new AbortController();
    const tooLong = delay(patienceMs, "too long", { signal: patience.signal, ref: false });
    const end = await Promise.race([synced, tooLong, aborted(signal)]);
    patience.abort();
    await tooLong.catch(() => undefined);
    if (end !== "too long") return;
    const late = this.list().filter(({ state }) => state !== "synced");
    const names = late.map(({ id }) => id).join(", ");
    log(`remote clusters: started without ${names === "" ? "knowing which there are" : names}`);
  }

  list(): RemoteClusterStatus[] {
    return [...this.#running].map(([id, { wanted, cluster }]) => ({
      id,
      secret: wanted.secret,
      state: cluster.state,
    }));
  }

  problems(): readonly Problem[] {
    const away = [...this.#running].flatMap(([id, { wanted, cluster }]) =>
      cluster.trouble === undefined
        ? []
        : [this.#problem(wanted.secret, id, "ClusterUnreachable", cluster.trouble)],
    );
    return [...this.#problems.values(), ...away];
  }

  async #reconcile(): Promise<void> {
    this.#problems.clear();
    const wanted = this.#wanted();
    for (const [id, { cluster }] of this.#running) {
      if (wanted.has(id)) continue;
      cluster.remove();
      this.#running.delete(id);
      this.#options.log(`remote cluster ${id}: removed`);
    }
    for (const [id, one] of wanted) await this.#follow(id, one);
    this.#options.onChange?.();
  }

  /** Of an ID that several Secrets have, the first Secret by name. */
  #wanted(): Map<string, Wanted> {
    const wanted = new Map<string, Wanted>();
    const sorted = [...this.#secrets].toSorted(([left], [right]) => (left < right ? -1 : 1));
    for (const [secret, { data = {} }] of sorted) {
      for (const [id, value] of Object.entries(data)) {
        const other = wanted.get(id)?.secret;
        const refusal = !CLUSTER_ID.test(id)
          ? "is no ID of a cluster"
          : id === this.#options.clusterId
            ? "is the ID of the cluster that configuration comes from"
            : other === undefined
              ? undefined
              : `is in Secret ${other} too, which counts`;
        if (refusal === undefined) {
          wanted.set(id, { secret, kubeconfig: Buffer.from(value, "base64").toString("utf8") });
        } else this.#note(secret, id, "InvalidCluster", `${id} ${refusal}`);
      }
    }
    return wanted;
  }

  /** A changed kubeconfig takes over when it works; until then the last one goes on. */
  async #follow(id: string, wanted: Wanted): Promise<void> {
    const before = this.#running.get(id);
    if (before?.wanted.kubeconfig === wanted.kubeconfig) {
      before.wanted = wanted;
      return;
    }
    const { connect = createClient, feed, log, onChange, probeMs } = this.#options;
    let client: KubeClient;
    try {
      client = connect(await parseForeignKubeconfig(wanted.kubeconfig, `Secret ${wanted.secret}`));
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      this.#note(wanted.secret, id, "InvalidKubeconfig", message);
      return;
    }
    const cluster = new RemoteCluster({
      id,
      client,
      feed,
      log,
      ...(before === undefined ? {} : { previous: before.cluster }),
      onChange: () => onChange?.(),
      ...(probeMs === undefined ? {} : { probeMs }),
    });
    this.#running.set(id, { wanted, cluster });
  }

  #note(secret: string, id: string, reason: string, message: string): void {
    this.#problems.set(`${secret}/${id}`, this.#problem(secret, id, reason, message));
  }

  #problem(secret: string, id: string, reason: string, message: string): Problem {
    const object = objectKey("Secret", this.#options.rootNamespace, secret);
    return { object, path: `data.${id}`, severity: "error", reason, message };
  }
}

function aborted(signal: AbortSignal): Promise<"aborted"> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve("aborted");
    else signal.addEventListener("abort", () => resolve("aborted"), { once: true });
  });
}
