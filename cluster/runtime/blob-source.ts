/** Where blobs come from, and how an image is put together from them. */

import { createHash, randomBytes } from "node:crypto";
import { createWriteStream } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { ImageConfig } from "./image.ts";
import { byteLimit, hasLayer, layerName, unpackLayer } from "./layer.ts";
import {
  type Descriptor,
  choosePlatform,
  isIndex,
  parseImageConfig,
  parseIndex,
  parseManifest,
} from "./manifest.ts";

export interface BlobSource {
  /** Bytes of a manifest or index, by digest. */
  manifest(descriptor: Descriptor): Promise<Readable>;
  /** Bytes of a configuration or layer. */
  blob(descriptor: Descriptor): Promise<Readable>;
}

export interface AssembledImage {
  /** Digest of the image configuration. */
  id: string;
  manifestDigest: string;
  sizeBytes: number;
  config: ImageConfig;
  /** Folder names, the topmost first. */
  layers: readonly string[];
}

const MAX_DOCUMENT_BYTES = 8 * 1024 ** 2;
const MAX_LAYER_BYTES = 16 * 1024 ** 3;
const PARALLEL_LAYERS = 3;
const MAX_INDEX_DEPTH = 3;

/**
 * Reads the manifest (through indexes, by platform), its configuration and its layers; every blob's
 * digest is verified. Layers that are already unpacked are not read.
 */
export async function assembleImage(options: {
  source: BlobSource;
  top: Descriptor;
  imagesDir: string;
  signal: AbortSignal;
}): Promise<AssembledImage> {
  const { source, imagesDir, signal } = options;
  let descriptor = options.top;
  let document = await readDocument(await source.manifest(descriptor), descriptor.digest);
  for (let depth = 0; depth < MAX_INDEX_DEPTH && isIndex(document); depth++) {
    descriptor = choosePlatform(parseIndex(document));
    document = await readDocument(await source.manifest(descriptor), descriptor.digest);
  }
  const manifest = parseManifest(document);
  const config = await readDocument(await source.blob(manifest.config), manifest.config.digest);
  const waiting = [...new Map(manifest.layers.map((layer) => [layer.digest, layer])).values()];
  const workers = Array.from({ length: PARALLEL_LAYERS }, async () => {
    for (let layer = waiting.shift(); layer !== undefined; layer = waiting.shift()) {
      await ensureLayer({ source, layer, imagesDir, signal });
    }
  });
  await Promise.all(workers);
  return {
    id: manifest.config.digest,
    manifestDigest: options.top.digest,
    sizeBytes: manifest.layers.reduce((total, layer) => total + layer.size, 0),
    config: parseImageConfig(config),
    layers: manifest.layers.map((layer) => layerName(layer.digest)).toReversed(),
  };
}

/** Parses a small JSON blob whose digest must be the given one. */
export async function readDocument(stream: Readable, digest: string): Promise<unknown> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MAX_DOCUMENT_BYTES) throw new Error(`${digest} is larger than 8 MiB`);
    chunks.push(chunk);
  }
  const content = Buffer.concat(chunks);
  checkDigest(createHash("sha256").update(content).digest("hex"), digest);
  return JSON.parse(content.toString("utf8"));
}

async function ensureLayer(options: {
  source: BlobSource;
  layer: Descriptor;
  imagesDir: string;
  signal: AbortSignal;
}): Promise<void> {
  const { source, layer, imagesDir, signal } = options;
  const layersDir = join(imagesDir, "layers");
  if (await hasLayer(layersDir, layer.digest)) return;
  const blobsDir = join(imagesDir, "blobs");
  await mkdir(blobsDir, { recursive: true });
  const blobFile = join(blobsDir, `${layerName(layer.digest)}-${randomBytes(6).toString("hex")}`);
  try {
    const hash = createHash("sha256");
    const limit = byteLimit(layer.size > 0 ? layer.size : MAX_LAYER_BYTES);
    limit.on("data", (chunk: Buffer) => hash.update(chunk));
    await pipeline(await source.blob(layer), limit, createWriteStream(blobFile), { signal });
    checkDigest(hash.digest("hex"), layer.digest);
    await unpackLayer({ layersDir, digest: layer.digest, blobFile, signal });
  } finally {
    await rm(blobFile, { force: true });
  }
}

function checkDigest(hex: string, digest: string): void {
  if (digest !== `sha256:${hex}`) {
    throw new Error(`content has digest sha256:${hex}, but ${digest} was asked for`);
  }
}
