/** Unpacks image layers into folders that overlayfs stacks, one folder a layer, by digest. */

import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, open, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip, createZstdDecompress } from "node:zlib";
import { convertWhiteouts } from "./whiteout.ts";

const MAX_UNPACKED_BYTES = 32 * 1024 ** 3;

/** The folder of a layer inside the layer folder; short, since a mount's options are one page. */
export function layerName(digest: string): string {
  return digest.slice("sha256:".length, "sha256:".length + 32);
}

/** Whether a layer has been unpacked completely (folders appear by rename only). */
export async function hasLayer(layersDir: string, digest: string): Promise<boolean> {
  return (await stat(join(layersDir, layerName(digest))).catch(() => undefined)) !== undefined;
}

/**
 * Unpacks a verified blob (tar, plain or compressed by gzip or zstd). GNU tar never writes outside
 * its folder: it strips leading `/` and `..` from names and delays links that lead out until all
 * files are written; every layer starts with an empty folder, so no earlier link is followed.
 */
export async function unpackLayer(options: {
  layersDir: string;
  digest: string;
  blobFile: string;
  signal: AbortSignal;
}): Promise<void> {
  const { layersDir, digest, blobFile, signal } = options;
  const target = join(layersDir, layerName(digest));
  const temporary = join(layersDir, `.unpacking-${randomBytes(8).toString("hex")}`);
  await mkdir(temporary, { recursive: true, mode: 0o755 });
  try {
    await extract(blobFile, temporary, signal);
    await convertWhiteouts(temporary);
    await rename(temporary, target).catch(async (error: NodeJS.ErrnoException) => {
      // Another agent of the cluster has unpacked the same layer meanwhile.
      if (error.code !== "ENOTEMPTY" && error.code !== "EEXIST") throw error;
    });
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}

async function extract(blobFile: string, dir: string, signal: AbortSignal): Promise<void> {
  const tar = spawn(
    "tar",
    [
      "--extract",
      "--file=-",
      `--directory=${dir}`,
      "--numeric-owner",
      "--same-owner",
      "--preserve-permissions",
      "--delay-directory-restore",
      "--xattrs",
      "--xattrs-include=security.capability",
    ],
    { stdio: ["pipe", "ignore", "pipe"], signal },
  );
  let complaint = "";
  tar.stderr.on("data", (chunk: Buffer) => {
    if (complaint.length < 2000) complaint += chunk.toString("utf8");
  });
  const ended = new Promise<number | null>((resolve, reject) => {
    tar.on("error", reject);
    tar.on("close", resolve);
  });
  const [fed, code] = await Promise.all([
    pipeline([
      createReadStream(blobFile),
      ...(await decompressor(blobFile)),
      byteLimit(MAX_UNPACKED_BYTES),
      tar.stdin,
    ]).then(
      () => undefined,
      (error: Error) => error,
    ),
    ended,
  ]);
  if (code !== 0) throw new Error(`tar ended with ${code}: ${complaint.trim()}`);
  if (fed !== undefined && !isEndOfReader(fed)) throw fed;
}

/** tar has seen the archive's end and doesn't wait for ours. */
function isEndOfReader(error: NodeJS.ErrnoException): boolean {
  return error.code === "EPIPE" || error.code === "ERR_STREAM_PREMATURE_CLOSE";
}

async function decompressor(file: string): Promise<Transform[]> {
  const handle = await open(file, "r");
  try {
    const magic = Buffer.alloc(4);
    await handle.read(magic, 0, 4, 0);
    if (magic.readUInt16BE(0) === 0x1f8b) return [createGunzip()];
    if (magic.readUInt32BE(0) === 0x28b52ffd) return [createZstdDecompress()];
    return [];
  } finally {
    await handle.close();
  }
}

/** Passes bytes on and fails when there are more than `maxBytes`. */
export function byteLimit(maxBytes: number): Transform {
  let seen = 0;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      seen += chunk.length;
      if (seen > maxBytes) done(new Error(`more than ${maxBytes} bytes`));
      else done(null, chunk);
    },
  });
}
