/** Pods' network namespaces and addresses; each is noted in the pod's folder for the next agent. */

import { mkdir, readFile, readdir, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Pod } from "#cluster/api/generated/core-v1.ts";
import type { NodeConfig } from "#cluster/api/process-config.ts";
import { type AddressPool, createAddressPool } from "#cluster/network/address-pool.ts";
import { createPodNetwork, deletePodNetwork } from "#cluster/network/pod-network.ts";
import { namespacePath } from "#cluster/network/run-in-namespace.ts";
import { hostsFile, podHostname, resolvConf } from "./network-files.ts";
import type { NodePaths } from "./node-paths.ts";
import { podIdentity } from "./pod-parts.ts";

export interface PodNetwork {
  /** The pod's address; the node's for hostNetwork. */
  address: string;
  /** Undefined for hostNetwork. */
  netnsPath: string | undefined;
}

interface Note {
  address: string;
  namespace: string;
}

export class PodNetworks {
  readonly #config: NodeConfig;
  readonly #paths: NodePaths;
  readonly #onProblem: (message: string) => void;
  readonly #pool: AddressPool;
  readonly #gateway: string;
  readonly #notes = new Map<string, Note>();

  constructor(config: NodeConfig, paths: NodePaths, onProblem: (message: string) => void) {
    this.#config = config;
    this.#paths = paths;
    this.#onProblem = onProblem;
    const [base = ""] = config.podCidr.split("/");
    // The node's end of every pod's link has the range's first address.
    this.#gateway = `${base.split(".").slice(0, 3).join(".")}.1`;
    this.#pool = createAddressPool(config.podCidr, [this.#gateway]);
  }

  /** Takes over the addresses of pods that an earlier agent started. */
  async adopt(): Promise<void> {
    for (const uid of await readdir(this.#paths.podsDir).catch(() => [])) {
      try {
        const text = await readFile(this.#noteFile(uid), "utf8").catch(() => undefined);
        if (text === undefined) continue;
        const note = JSON.parse(text) as Note;
        this.#pool.reserve(note.address);
        this.#notes.set(uid, note);
      } catch (error) {
        this.#onProblem(`network of pod ${uid} can't be taken over: ${(error as Error).message}`);
      }
    }
  }

  /** The pod's network if it exists: noted, and its namespace still there. */
  async find(pod: Pod): Promise<PodNetwork | undefined> {
    if (pod.spec?.hostNetwork === true) {
      return { address: this.#config.nodeAddress, netnsPath: undefined };
    }
    const note = this.#notes.get(podIdentity(pod).uid);
    if (note === undefined) return undefined;
    const netnsPath = namespacePath(note.namespace);
    const exists = (await stat(netnsPath).catch(() => undefined)) !== undefined;
    return exists ? { address: note.address, netnsPath } : undefined;
  }

  /** Makes the network (after a reboot again, with its old address) and the pod's network files. */
  async ensure(pod: Pod, signal: AbortSignal): Promise<PodNetwork> {
    const found = await this.find(pod);
    const { uid } = podIdentity(pod);
    if (found !== undefined) {
      await this.#writeFiles(pod, found.address);
      return found;
    }
    const address = this.#notes.get(uid)?.address ?? this.#pool.allocate();
    if (address === undefined)
      throw new Error(`no free address is left in ${this.#config.podCidr}`);
    const namespace = `${this.#config.podNamespacePrefix}${uid}`;
    this.#notes.set(uid, { address, namespace });
    await mkdir(this.#paths.podDir(uid), { recursive: true, mode: 0o755 });
    await writeFile(this.#noteFile(uid), JSON.stringify({ address, namespace }));
    const gatewayAddress = this.#gateway;
    const [{ netnsPath }] = await Promise.all([
      createPodNetwork({ namespace, podAddress: address, gatewayAddress, signal }),
      this.#writeFiles(pod, address),
    ]);
    return { address, netnsPath };
  }

  /** Removes the namespace and gives the address back. */
  async release(podUid: string): Promise<void> {
    const note = this.#notes.get(podUid);
    if (note === undefined) return;
    await deletePodNetwork(note.namespace);
    this.#pool.release(note.address);
    this.#notes.delete(podUid);
  }

  /** Folder with `hosts`, `hostname` and `resolv.conf`. */
  filesDir(podUid: string): string {
    return join(this.#paths.podDir(podUid), "etc");
  }

  #noteFile(podUid: string): string {
    return join(this.#paths.podDir(podUid), "network.json");
  }

  async #writeFiles(pod: Pod, address: string): Promise<void> {
    const dir = this.filesDir(podIdentity(pod).uid);
    const exists = (await stat(join(dir, "resolv.conf")).catch(() => undefined)) !== undefined;
    if (exists) return;
    const { network, nodeName } = this.#config;
    const host = await readFile("/etc/resolv.conf", "utf8").catch(() => "");
    await mkdir(dir, { recursive: true, mode: 0o755 });
    await Promise.all([
      writeFile(join(dir, "hosts"), hostsFile(pod, address, network.clusterDomain)),
      writeFile(join(dir, "hostname"), `${podHostname(pod, nodeName)}\n`),
    ]);
    await writeFile(join(dir, "resolv.conf"), resolvConf(pod, network, host));
  }
}
