/** The state folder of one cluster, and what is remembered in it. */

import { randomBytes } from "node:crypto";
import { mkdir, readFile, rename, rm, statfs, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import path from "node:path";
import type { ClusterNetwork } from "#cluster/api/process-config.ts";

/** Options that every command takes. */
export interface ClusterOptions {
  name: string;
  home?: string;
}

/** Absolute paths below `<home>/<cluster>`. */
export interface StatePaths {
  root: string;
  clusterFile: string;
  kubeconfig: string;
  pki: string;
  storeFile: string;
  config: string;
  imagesFile: string;
  logs: string;
  run: string;
  componentsFile: string;
  supervisorFile: string;
  /** Held by the one command that starts, runs or stops the cluster. */
  lockFile: string;
  localhost: string;
  nodes: string;
}

/** What `cluster.json` remembers from one `up` to the next. */
export interface ClusterRecord {
  name: string;
  nodeCount: number;
  network: ClusterNetwork;
  apiServerPort: number;
}

const CLUSTER_NAME = /^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$/;

/** What overlayfs reads as separators in its options, or the mount table escapes. */
const UNSAFE_PATH = /[:,\\\s]/;

/** Paths of a cluster; throws UsageError when the name can't be one. */
export function statePaths(options: ClusterOptions): StatePaths {
  if (!CLUSTER_NAME.test(options.name)) {
    throw new UsageError(
      `--name ${JSON.stringify(options.name)}: a cluster's name has 1 to 32 characters of a-z, 0-9 and -`,
    );
  }
  const home = options.home ?? process.env.LATEEN_HOME ?? path.join(homedir(), ".lateen");
  if (UNSAFE_PATH.test(path.resolve(home))) {
    throw new UsageError(
      `--home ${JSON.stringify(home)}: mounts need a path without blanks, ":", "," and "\\"`,
    );
  }
  const root = path.join(path.resolve(home), options.name);
  const run = path.join(root, "run");
  const config = path.join(root, "config");
  return {
    root,
    clusterFile: path.join(root, "cluster.json"),
    kubeconfig: path.join(root, "kubeconfig"),
    pki: path.join(root, "pki"),
    storeFile: path.join(root, "store", "store.db"),
    config,
    imagesFile: path.join(config, "images.yaml"),
    logs: path.join(root, "logs"),
    run,
    componentsFile: path.join(run, "components.json"),
    supervisorFile: path.join(run, "supervisor.json"),
    lockFile: path.join(run, "lock"),
    localhost: path.join(root, "localhost"),
    nodes: path.join(root, "nodes"),
  };
}

/** Below this nothing starts; a process that can't even write its log couldn't say why. */
const MINIMUM_FREE_BYTES = 32 * 1024 ** 2;

/** Creates the folders that hold secrets (0700) and the rest; throws UsageError on a full disk. */
export async function createStateFolders(paths: StatePaths): Promise<void> {
  await mkdir(paths.root, { recursive: true, mode: 0o700 });
  const { bavail, bsize } = await statfs(paths.root);
  if (bavail * bsize < MINIMUM_FREE_BYTES) {
    const mib = (bavail * bsize) / 1024 ** 2;
    throw new UsageError(
      `only ${mib.toFixed(1)} MiB are free in ${paths.root}: free some space or choose another --home`,
    );
  }
  for (const folder of [
    paths.pki,
    path.dirname(paths.storeFile),
    paths.config,
    paths.logs,
    paths.run,
    paths.localhost,
    paths.nodes,
  ]) {
    await mkdir(folder, { recursive: true, mode: 0o700 });
  }
}

/** The remembered cluster; undefined where there was none yet. */
export async function readClusterRecord(paths: StatePaths): Promise<ClusterRecord | undefined> {
  return readRecordFile(paths.clusterFile);
}

/** A `cluster.json`, undefined when there is none; throws UsageError when it isn't what we wrote. */
export async function readRecordFile(file: string): Promise<ClusterRecord | undefined> {
  const text = await readText(file);
  if (text === undefined) return undefined;
  const record = parseJson(text);
  if (isClusterRecord(record)) return record;
  throw new UsageError(
    `${file} is corrupt: restore it, or start anew after \`lateen down --purge\``,
  );
}

/** A JSON file that is written anew by every start: when it is missing or damaged, undefined. */
export async function readTransient<T>(file: string): Promise<T | undefined> {
  const text = await readText(file);
  return text === undefined ? undefined : (parseJson(text) as T | undefined);
}

async function readText(file: string): Promise<string | undefined> {
  return readFile(file, "utf8").catch((error: unknown) => {
    if (isMissing(error)) return undefined;
    throw error;
  });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // A file that was cut off or edited; the caller says what that means.
    return undefined;
  }
}

const NETWORK_FIELDS = [
  "fabricCidr",
  "hostAddress",
  "podCidr",
  "serviceCidr",
  "loadBalancerCidr",
  "dnsAddress",
  "clusterDomain",
  "fabricNamespace",
  "hostLink",
] as const satisfies readonly (keyof ClusterNetwork)[];

function isClusterRecord(value: unknown): value is ClusterRecord {
  if (typeof value !== "object" || value === null) return false;
  const { name, nodeCount, network, apiServerPort } = value as Partial<ClusterRecord>;
  if (typeof name !== "string" || !Number.isInteger(nodeCount)) return false;
  if (!Number.isInteger(apiServerPort) || typeof network !== "object") return false;
  return network !== null && NETWORK_FIELDS.every((field) => typeof network[field] === "string");
}

/** Replaces a file at once: a reader, and the next boot, see the old or the new content. */
export async function writeAtomically(file: string, content: string, mode = 0o600): Promise<void> {
  const temporary = `${file}.${randomBytes(4).toString("hex")}`;
  try {
    await writeFile(temporary, content, { mode, flush: true });
    await rename(temporary, file);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

/** Whether an error says that a file or folder isn't there. */
export function isMissing(error: unknown): boolean {
  return typeof error === "object" && error !== null && "code" in error && error.code === "ENOENT";
}

/** A mistake that the user can mend; printed as one line, without a stack. */
export class UsageError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "UsageError";
  }
}
