/** Makes a pod's volumes, keeps their files current, and removes them. */

import { createHash } from "node:crypto";
import { rm, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Pod, Volume } from "#cluster/api/generated/core-v1.ts";
import type { NodeFacts } from "#cluster/kubelet/downward.ts";
import type { NodePaths } from "#cluster/kubelet/node-paths.ts";
import type { ObjectCache } from "#cluster/kubelet/object-cache.ts";
import { podIdentity } from "#cluster/kubelet/pod-parts.ts";
import { writeAtomically } from "./atomic-writer.ts";
import { ensureEmptyDir, ensureHostPath, unmountBelow } from "./directories.ts";
import { type VolumeFile, isFileVolume, volumeFiles } from "./files.ts";
import type { TokenSource } from "./tokens.ts";

export interface PodVolumesOptions {
  paths: NodePaths;
  objects: ObjectCache;
  tokens: TokenSource;
  facts: () => NodeFacts;
}

export interface VolumeProblem {
  volume: string;
  message: string;
}

export type VolumesResult =
  | { ok: true; paths: ReadonlyMap<string, string> }
  | { ok: false; problems: readonly VolumeProblem[] };

const NAME = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;

export class PodVolumes {
  readonly #options: PodVolumesOptions;
  /** What was last written, by the volume's folder. */
  readonly #written = new Map<string, string>();

  constructor(options: PodVolumesOptions) {
    this.#options = options;
  }

  /** Brings every volume to what it should be now; where each lies on the host, by its name. */
  async ensure(pod: Pod, podIp: string | undefined): Promise<VolumesResult> {
    const paths = new Map<string, string>();
    const problems: VolumeProblem[] = [];
    await Promise.all(
      (pod.spec?.volumes ?? []).map(async (volume) => {
        try {
          paths.set(volume.name, await this.#ensureOne(pod, volume, podIp));
        } catch (error) {
          problems.push({ volume: volume.name, message: (error as Error).message });
        }
      }),
    );
    return problems.length === 0 ? { ok: true, paths } : { ok: false, problems };
  }

  /** Unmounts and deletes everything of a pod below its folder. */
  async remove(podUid: string): Promise<void> {
    const dir = this.#options.paths.podDir(podUid);
    await unmountBelow(dir);
    await rm(dir, { recursive: true, force: true });
    this.#options.tokens.forget(podUid);
    for (const key of this.#written.keys()) {
      if (key.startsWith(`${dir}/`)) this.#written.delete(key);
    }
  }

  async #ensureOne(pod: Pod, volume: Volume, podIp: string | undefined): Promise<string> {
    if (!NAME.test(volume.name)) throw new Error("invalid volume name");
    const group = pod.spec?.securityContext?.fsGroup;
    const { uid } = podIdentity(pod);
    const dir = join(this.#options.paths.podDir(uid), "volumes", volume.name);
    if (volume.emptyDir !== undefined) {
      await ensureEmptyDir(dir, volume.emptyDir, group);
      return dir;
    }
    if (volume.hostPath !== undefined) return ensureHostPath(volume.hostPath);
    if (!isFileVolume(volume)) throw new Error(`volume type is not offered: ${kindOf(volume)}`);
    await this.#ensureFiles({ pod, volume, podIp, dir });
    return dir;
  }

  async #ensureFiles(at: {
    pod: Pod;
    volume: Volume;
    podIp: string | undefined;
    dir: string;
  }): Promise<void> {
    const { pod, volume, podIp, dir } = at;
    const { objects, tokens, facts } = this.#options;
    const namespace = podIdentity(pod).namespace;
    const projections = (volume.projected?.sources ?? []).flatMap(
      ({ serviceAccountToken }) => serviceAccountToken ?? [],
    );
    await Promise.all(projections.map((projection) => tokens.ensure(pod, projection)));
    const built = volumeFiles(pod, volume, {
      configMap: (name) => objects.configMap(namespace, name),
      secret: (name) => objects.secret(namespace, name),
      token: (projection) => tokens.get(pod, projection),
      facts: facts(),
      podIp,
    });
    if (!built.ok) throw new Error(built.message);
    const version = digest(built.files);
    const isThere = (await stat(join(dir, "..data")).catch(() => undefined)) !== undefined;
    if (isThere && this.#written.get(dir) === version) return;
    await writeAtomically(dir, built.files, pod.spec?.securityContext?.fsGroup);
    this.#written.set(dir, version);
  }
}

function digest(files: ReadonlyMap<string, VolumeFile>): string {
  const hash = createHash("sha256");
  for (const [path, { content, mode }] of [...files].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    hash.update(`${path.length} ${path} ${mode} ${content.length} `).update(content);
  }
  return hash.digest("hex");
}

function kindOf(volume: Volume): string {
  return Object.keys(volume).find((key) => key !== "name") ?? "none";
}
