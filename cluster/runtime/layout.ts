/** OCI image layouts on disk: folders, and archives (tar) of such a folder. */

import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, readFile, readdir, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import type { BlobSource } from "./blob-source.ts";
import { type Descriptor, parseIndex } from "./manifest.ts";
import { run } from "./process.ts";
import { type ImageReference, formatReference, parseImageReference } from "./reference.ts";

const NAME_ANNOTATIONS = ["io.containerd.image.name", "org.opencontainers.image.ref.name"];
const MAX_LAYOUTS = 1000;

/**
 * The manifest that a layout below one of these folders has under this reference. A folder may be a
 * layout itself or hold layouts and archives.
 */
export async function findInLayouts(options: {
  folders: readonly string[];
  reference: ImageReference;
  archivesDir: string;
  onProblem: (message: string) => void;
}): Promise<{ top: Descriptor; source: BlobSource } | undefined> {
  const wanted = formatReference(options.reference);
  for (const folder of options.folders) {
    for (const layout of await layoutsOf(folder, options)) {
      const top = await findManifest(layout, wanted, options.reference.digest).catch(
        (error: Error) => {
          options.onProblem(`OCI layout ${layout} is skipped: ${error.message}`);
          return undefined;
        },
      );
      if (top !== undefined) return { top, source: layoutSource(layout) };
    }
  }
  return undefined;
}

async function layoutsOf(
  folder: string,
  options: { archivesDir: string; onProblem: (message: string) => void },
): Promise<string[]> {
  if (await isLayout(folder)) return [folder];
  const entries = await readdir(folder, { withFileTypes: true }).catch((error: Error) => {
    options.onProblem(`layouts folder ${folder} is skipped: ${error.message}`);
    return [];
  });
  const found: string[] = [];
  for (const entry of entries.slice(0, MAX_LAYOUTS)) {
    const path = join(folder, entry.name);
    if (entry.isDirectory() && (await isLayout(path))) found.push(path);
    if (!entry.isFile() || !entry.name.endsWith(".tar")) continue;
    const unpacked = await unpackArchive(path, options.archivesDir).catch((error: Error) => {
      options.onProblem(`image archive ${path} is skipped: ${error.message}`);
      return undefined;
    });
    if (unpacked !== undefined) found.push(unpacked);
  }
  return found;
}

async function isLayout(folder: string): Promise<boolean> {
  return (await stat(join(folder, "index.json")).catch(() => undefined))?.isFile() === true;
}

/** An archive is unpacked once for each of its (path, time, size). */
async function unpackArchive(file: string, archivesDir: string): Promise<string> {
  const info = await stat(file);
  const key = createHash("sha256").update(`${file} ${info.mtimeMs} ${info.size}`).digest("hex");
  const target = join(archivesDir, key.slice(0, 32));
  if (await isLayout(target)) return target;
  const temporary = `${target}.${process.pid}`;
  await rm(temporary, { recursive: true, force: true });
  await mkdir(temporary, { recursive: true });
  try {
    const args = ["--extract", `--file=${file}`, `--directory=${temporary}`, "--no-same-owner"];
    const result = await run("tar", args, { timeoutMs: 600_000 });
    if (result.code !== 0) throw new Error(`tar: ${result.stderr.trim()}`);
    if (!(await isLayout(temporary))) throw new Error("it has no index.json");
    await rm(target, { recursive: true, force: true });
    await rename(temporary, target);
    return target;
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}

async function findManifest(
  layout: string,
  wanted: string,
  digest: string | undefined,
): Promise<Descriptor | undefined> {
  const index = parseIndex(JSON.parse(await readFile(join(layout, "index.json"), "utf8")));
  return index.find((descriptor) => {
    if (descriptor.digest === digest) return true;
    return NAME_ANNOTATIONS.some((annotation) => {
      const name = parseImageReference(descriptor.annotations.get(annotation) ?? "");
      return name.ok && formatReference(name.reference) === wanted;
    });
  });
}

function layoutSource(layout: string): BlobSource {
  // A digest has been checked to be sha256:<hex> when its descriptor was parsed.
  const read = (descriptor: Descriptor) =>
    Promise.resolve(
      createReadStream(join(layout, "blobs", "sha256", descriptor.digest.slice("sha256:".length))),
    );
  return { manifest: read, blob: read };
}
