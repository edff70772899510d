/** From a reference to an Image: alias → host image → layout → what was pulled → registry. */

import { createHash } from "node:crypto";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type AssembledImage, assembleImage } from "./blob-source.ts";
import { type HostImage, type ImagesConfig, findHostImage, resolveAlias } from "./images-config.ts";
import { type Image, ImageError } from "./image.ts";
import { findInLayouts } from "./layout.ts";
import {
  type ImageReference,
  formatReference,
  imageName,
  parseImageReference,
} from "./reference.ts";
import { type RegistryCredentials, RegistryRepository } from "./registry.ts";

export interface ImageRequest {
  /** As the container says it. */
  reference: string;
  /** Asks the registry for the tag's present digest even when the image is here. */
  refresh: boolean;
  /** Credentials by registry host. */
  credentials: ReadonlyMap<string, RegistryCredentials>;
  signal: AbortSignal;
}

export interface ImageStoreOptions {
  /** `<state>/images`: layers by digest, and what each pulled reference stands for. */
  imagesDir: string;
  config: () => Promise<ImagesConfig>;
  onProblem: (message: string) => void;
}

const MAX_RUNNING_PULLS = 4;

export class ImageStore {
  readonly #options: ImageStoreOptions;
  readonly #pulls = new Map<string, Promise<Image>>();

  constructor(options: ImageStoreOptions) {
    this.#options = options;
  }

  /** Folder that the `layers` of an image's root are in. */
  get layersDir(): string {
    return join(this.#options.imagesDir, "layers");
  }

  /** The image if it needs no registry; InvalidImageName is the only error of its own. */
  async findLocal(reference: string): Promise<Image | undefined> {
    const { config, asked, target } = await this.#resolve(reference);
    const host = findHostImage(config, target);
    if (host !== undefined) return hostImage(host, asked);
    return (await this.#fromLayouts(config, asked, target)) ?? (await this.#recorded(target));
  }

  /** The image, pulled when it is not here; concurrent pulls of a reference are one. */
  async ensure(request: ImageRequest): Promise<Image> {
    const { config, asked, target } = await this.#resolve(request.reference);
    const host = findHostImage(config, target);
    if (host !== undefined) return hostImage(host, asked);
    const local = await this.#fromLayouts(config, asked, target);
    if (local !== undefined) return local;
    const known = request.refresh ? undefined : await this.#recorded(target);
    if (known !== undefined) return known;
    const key = formatReference(target);
    const running = this.#pulls.get(key);
    if (running !== undefined) return running;
    if (this.#pulls.size >= MAX_RUNNING_PULLS) {
      await Promise.race([...this.#pulls.values()].map((pull) => pull.catch(() => undefined)));
    }
    const pull = this.#pull(config, target, request).finally(() => this.#pulls.delete(key));
    this.#pulls.set(key, pull);
    return pull;
  }

  async #resolve(
    text: string,
  ): Promise<{ config: ImagesConfig; asked: ImageReference; target: ImageReference }> {
    const parsed = parseImageReference(text);
    if (!parsed.ok) throw new ImageError("InvalidImageName", parsed.message);
    const config = await this.#options.config();
    return { config, asked: parsed.reference, target: resolveAlias(config, parsed.reference) };
  }

  async #fromLayouts(
    config: ImagesConfig,
    asked: ImageReference,
    target: ImageReference,
  ): Promise<Image | undefined> {
    if (config.layouts.length === 0) return undefined;
    const found = await findInLayouts({
      folders: config.layouts,
      reference: target,
      archivesDir: join(this.#options.imagesDir, "archives"),
      onProblem: this.#options.onProblem,
    });
    if (found === undefined) return undefined;
    const assembled = await this.#assemble(target, {
      ...found,
      signal: AbortSignal.timeout(600_000),
    });
    return imageOf(asked, target, assembled);
  }

  async #pull(config: ImagesConfig, target: ImageReference, request: ImageRequest): Promise<Image> {
    const mirrors = (config.mirrors.get(target.domain) ?? []).slice(0, 10);
    const failures: string[] = [];
    for (const host of [...mirrors, target.domain]) {
      const repository = new RegistryRepository({
        host,
        path: target.path,
        credentials: request.credentials.get(host) ?? request.credentials.get(target.domain),
        signal: request.signal,
      });
      try {
        const top = await repository.resolve(target);
        const source = { top, source: repository, signal: request.signal };
        const image = imageOf(target, target, await this.#assemble(target, source));
        await this.#record(target, image);
        return image;
      } catch (error) {
        if (request.signal.aborted) throw error;
        failures.push((error as Error).message);
      }
    }
    const shown = formatReference(target);
    throw new ImageError("ErrImagePull", `failed to pull image "${shown}": ${failures.join("; ")}`);
  }

  async #assemble(
    target: ImageReference,
    from: Omit<Parameters<typeof assembleImage>[0], "imagesDir">,
  ): Promise<AssembledImage> {
    try {
      await mkdir(this.layersDir, { recursive: true });
      return await assembleImage({ ...from, imagesDir: this.#options.imagesDir });
    } catch (error) {
      if (error instanceof ImageError) throw error;
      throw new ImageError(
        "ErrImagePull",
        `failed to unpack image "${formatReference(target)}": ${(error as Error).message}`,
        { cause: error },
      );
    }
  }

  #recordFile(target: ImageReference): string {
    const key = createHash("sha256").update(formatReference(target)).digest("hex");
    return join(this.#options.imagesDir, "references", `${key}.json`);
  }

  async #record(target: ImageReference, image: Image): Promise<void> {
    const file = this.#recordFile(target);
    await mkdir(join(this.#options.imagesDir, "references"), { recursive: true });
    await writeFile(`${file}.${process.pid}`, JSON.stringify(image));
    await rename(`${file}.${process.pid}`, file);
  }

  async #recorded(target: ImageReference): Promise<Image | undefined> {
    const text = await readFile(this.#recordFile(target), "utf8").catch(() => undefined);
    if (text === undefined) return undefined;
    try {
      return JSON.parse(text) as Image;
    } catch (error) {
      const shown = formatReference(target);
      this.#options.onProblem(
        `record of image ${shown} is unreadable: ${(error as Error).message}`,
      );
      return undefined;
    }
  }
}

function hostImage(host: HostImage, asked: ImageReference): Image {
  const { entrypoint, cmd, env, user, workingDir, mounts } = host;
  const id = `sha256:${createHash("sha256").update(JSON.stringify(host)).digest("hex")}`;
  return {
    reference: formatReference(asked),
    id,
    ref: id,
    sizeBytes: 0,
    config: { entrypoint, cmd, env, user, workingDir },
    root: { kind: "host", mounts },
  };
}

function imageOf(asked: ImageReference, target: ImageReference, image: AssembledImage): Image {
  return {
    reference: formatReference(asked),
    id: image.id,
    ref: `${imageName(target)}@${image.manifestDigest}`,
    sizeBytes: image.sizeBytes,
    config: image.config,
    root: { kind: "layers", layers: image.layers },
  };
}
