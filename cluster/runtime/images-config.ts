/** `config/images.yaml`: host images, aliases, layout folders and mirrors (ARCHITECTURE.md). */

import { readFile, stat } from "node:fs/promises";
import { isAbsolute } from "node:path";
import { loadAll } from "js-yaml";
import type { HostMount } from "./image.ts";
import {
  type ImageReference,
  formatReference,
  imageName,
  parseImageReference,
} from "./reference.ts";

export interface HostImage {
  /** A complete name without a tag, or `name:tag`. */
  name: string;
  mounts: readonly HostMount[];
  entrypoint: readonly string[];
  cmd: readonly string[];
  env: Readonly<Record<string, string>>;
  user: string;
  workingDir: string;
}

export interface ImagesConfig {
  hostImages: readonly HostImage[];
  aliases: readonly { match: string; image: string }[];
  layouts: readonly string[];
  mirrors: ReadonlyMap<string, readonly string[]>;
}

export const EMPTY_IMAGES_CONFIG: ImagesConfig = {
  hostImages: [],
  aliases: [],
  layouts: [],
  mirrors: new Map(),
};

export type ImagesConfigResult =
  { ok: true; config: ImagesConfig } | { ok: false; problems: readonly string[] };

/** Parses the text of the file; every problem names its path in the document. */
export function parseImagesConfig(text: string): ImagesConfigResult {
  let document: unknown;
  try {
    [document] = loadAll(text);
  } catch (error) {
    return { ok: false, problems: [(error as Error).message] };
  }
  const check = new Checker();
  const root = check.object(document ?? {}, "");
  check.knownKeys(root, "", ["hostImages", "aliases", "layouts", "mirrors"]);
  const config: ImagesConfig = {
    hostImages: check.list(root.hostImages, "hostImages", (value, path) =>
      hostImageOf(check, value, path),
    ),
    aliases: check.list(root.aliases, "aliases", (value, path) => {
      const alias = check.object(value, path);
      return {
        match: check.text(alias.match, `${path}.match`),
        image: check.text(alias.image, `${path}.image`),
      };
    }),
    layouts: check.list(root.layouts, "layouts", (value, path) => check.absolutePath(value, path)),
    mirrors: new Map(
      Object.entries(check.object(root.mirrors ?? {}, "mirrors")).map(([host, value]) => [
        host,
        check.texts(value, `mirrors.${host}`),
      ]),
    ),
  };
  return check.problems.length === 0
    ? { ok: true, config }
    : { ok: false, problems: check.problems };
}

function hostImageOf(check: Checker, value: unknown, path: string): HostImage {
  const image = check.object(value, path);
  check.knownKeys(image, path, [
    "name",
    "mounts",
    "entrypoint",
    "cmd",
    "env",
    "user",
    "workingDir",
  ]);
  const name = check.text(image.name, `${path}.name`);
  const reference = parseImageReference(name);
  if (!reference.ok) check.problems.push(`${path}.name: ${reference.message}`);
  return {
    name,
    mounts: check.list(image.mounts, `${path}.mounts`, (mount, at) => {
      const { source, target } = check.object(mount, at);
      return {
        source: check.absolutePath(source, `${at}.source`),
        target: check.absolutePath(target, `${at}.target`),
      };
    }),
    entrypoint: check.texts(image.entrypoint, `${path}.entrypoint`),
    cmd: check.texts(image.cmd, `${path}.cmd`),
    env: Object.fromEntries(
      Object.entries(check.object(image.env ?? {}, `${path}.env`)).map(([key, text]) => [
        key,
        check.text(text, `${path}.env.${key}`),
      ]),
    ),
    user: image.user === undefined ? "" : check.text(image.user, `${path}.user`),
    workingDir:
      image.workingDir === undefined
        ? "/"
        : check.absolutePath(image.workingDir, `${path}.workingDir`),
  };
}

class Checker {
  readonly problems: string[] = [];

  object(value: unknown, path: string): Record<string, unknown> {
    if (typeof value === "object" && value !== null && !Array.isArray(value)) {
      return value as Record<string, unknown>;
    }
    this.problems.push(`${path === "" ? "document" : path}: must be a mapping`);
    return {};
  }

  knownKeys(value: Record<string, unknown>, path: string, known: readonly string[]): void {
    for (const key of Object.keys(value)) {
      if (!known.includes(key)) this.problems.push(`${path}.${key}: unknown field`);
    }
  }

  list<T>(value: unknown, path: string, item: (value: unknown, path: string) => T): T[] {
    if (value === undefined || value === null) return [];
    if (Array.isArray(value)) return value.map((entry, index) => item(entry, `${path}[${index}]`));
    this.problems.push(`${path}: must be a list`);
    return [];
  }

  texts(value: unknown, path: string): string[] {
    return this.list(value, path, (entry, at) => this.text(entry, at));
  }

  text(value: unknown, path: string): string {
    if (typeof value === "string") return value;
    this.problems.push(`${path}: must be a string`);
    return "";
  }

  absolutePath(value: unknown, path: string): string {
    const text = this.text(value, path);
    if (!isAbsolute(text)) this.problems.push(`${path}: must be an absolute path`);
    return text;
  }
}

/** The reference after aliases (the first match wins; an alias is not resolved again). */
export function resolveAlias(config: ImagesConfig, reference: ImageReference): ImageReference {
  for (const { match, image } of config.aliases) {
    if (!matchesAlias(match, reference)) continue;
    const target = parseImageReference(image);
    if (target.ok) return target.reference;
  }
  return reference;
}

function matchesAlias(match: string, reference: ImageReference): boolean {
  const full = formatReference(reference);
  if (match.endsWith("*")) return full.startsWith(match.slice(0, -1));
  return match === full || match === imageName(reference);
}

/** The host image of a reference; one configured without a tag serves every tag. */
export function findHostImage(
  config: ImagesConfig,
  reference: ImageReference,
): HostImage | undefined {
  const name = imageName(reference);
  const tagged = `${name}:${reference.tag ?? ""}`;
  return config.hostImages.find((image) => image.name === name || image.name === tagged);
}

/** The file's present content; it is read again when its time or size changes. */
export class ImagesConfigFile {
  readonly #path: string;
  readonly #onProblem: (message: string) => void;
  #version = "";
  #config = EMPTY_IMAGES_CONFIG;

  constructor(path: string, onProblem: (message: string) => void) {
    this.#path = path;
    this.#onProblem = onProblem;
  }

  /** A file that has become invalid is reported once and the last good content stays. */
  async current(): Promise<ImagesConfig> {
    const info = await stat(this.#path).catch(() => undefined);
    const version = info === undefined ? "absent" : `${info.mtimeMs} ${info.size} ${info.ino}`;
    if (version === this.#version) return this.#config;
    this.#version = version;
    if (info === undefined) {
      this.#onProblem(`${this.#path} is missing: there are no host images and no aliases`);
      this.#config = EMPTY_IMAGES_CONFIG;
      return this.#config;
    }
    const parsed = parseImagesConfig(await readFile(this.#path, "utf8"));
    if (parsed.ok) this.#config = parsed.config;
    else this.#onProblem(`${this.#path}: ${parsed.problems.join("; ")}; the last good one stays`);
    return this.#config;
  }
}
