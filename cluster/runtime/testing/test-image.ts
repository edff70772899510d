/** Small OCI images for tests: layers from folders, written as a layout. */

import { createHash } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { goArchitecture } from "#cluster/runtime/manifest.ts";
import { run } from "#cluster/runtime/process.ts";

export interface TestImage {
  manifestDigest: string;
  manifest: Buffer;
  /** By digest. */
  blobs: Map<string, Buffer>;
}

export function digestOf(content: Buffer): string {
  return `sha256:${createHash("sha256").update(content).digest("hex")}`;
}

/** An image of these folders' contents, the lowest first; the second and later are compressed. */
export async function buildTestImage(folders: readonly string[]): Promise<TestImage> {
  const blobs = new Map<string, Buffer>();
  const add = (content: Buffer, mediaType: string) => {
    const digest = digestOf(content);
    blobs.set(digest, content);
    return { mediaType, digest, size: content.length };
  };
  const layers = [];
  for (const [index, folder] of folders.entries()) {
    const file = `${folder}.tar`;
    const result = await run("tar", ["--create", `--file=${file}`, `--directory=${folder}`, "."]);
    if (result.code !== 0) throw new Error(result.stderr);
    const tar = await readFile(file);
    const type = "application/vnd.oci.image.layer.v1.tar";
    layers.push(index === 0 ? add(tar, type) : add(gzipSync(tar), `${type}+gzip`));
  }
  const config = {
    architecture: goArchitecture(),
    os: "linux",
    config: { Cmd: ["/bin/sh", "-c", "exit 0"], Env: ["FROM=image"], User: "example" },
  };
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      config: add(Buffer.from(JSON.stringify(config)), "application/vnd.oci.image.config.v1+json"),
      layers,
    }),
  );
  const manifestDigest = digestOf(manifest);
  blobs.set(manifestDigest, manifest);
  return { manifestDigest, manifest, blobs };
}

/** Writes the image as an OCI layout under a reference's name. */
export async function writeLayout(dir: string, image: TestImage, name: string): Promise<void> {
  await mkdir(join(dir, "blobs", "sha256"), { recursive: true });
  for (const [digest, content] of image.blobs) {
    await writeFile(join(dir, "blobs", "sha256", digest.slice("sha256:".length)), content);
  }
  const descriptor = {
    mediaType: "application/vnd.oci.image.manifest.v1+json",
    digest: image.manifestDigest,
    size: image.manifest.length,
    annotations: { "org.opencontainers.image.ref.name": name },
  };
  await writeFile(join(dir, "oci-layout"), '{"imageLayoutVersion":"1.0.0"}');
  await writeFile(join(dir, "index.json"), JSON.stringify({ manifests: [descriptor] }));
}
