/** The files of configMap, secret, downwardAPI and projected volumes, as pure data. */

import type {
  ConfigMap,
  KeyToPath,
  Pod,
  Secret,
  ServiceAccountTokenProjection,
  Volume,
} from "#cluster/api/generated/core-v1.ts";
import { type NodeFacts, fieldValue, resourceValue } from "#cluster/kubelet/downward.ts";

export interface VolumeFile {
  content: Buffer;
  mode: number;
}

export type FilesResult =
  { ok: true; files: Map<string, VolumeFile> } | { ok: false; message: string };

export interface FileSources {
  configMap(name: string): ConfigMap | undefined;
  secret(name: string): Secret | undefined;
  /** The token that was fetched for this projection. */
  token(projection: ServiceAccountTokenProjection): string | undefined;
  facts: NodeFacts;
  podIp: string | undefined;
}

const DEFAULT_MODE = 0o644;
const MAX_TOTAL_BYTES = 16 << 20;

/** Whether a volume is one of the four kinds. */
export function isFileVolume(volume: Volume): boolean {
  const { configMap, secret, downwardAPI, projected } = volume;
  return [configMap, secret, downwardAPI, projected].some((source) => source !== undefined);
}

/** All files of a volume by their path in it; the message is the kubelet's. */
export function volumeFiles(pod: Pod, volume: Volume, sources: FileSources): FilesResult {
  const builder = new FilesBuilder(pod, sources);
  const { configMap, secret, downwardAPI, projected } = volume;
  if (configMap !== undefined) {
    builder.configMap({ ...configMap, mode: configMap.defaultMode });
  } else if (secret !== undefined) {
    builder.secret({ ...secret, name: secret.secretName, mode: secret.defaultMode });
  } else if (downwardAPI !== undefined) {
    builder.downward(downwardAPI.items, downwardAPI.defaultMode);
  }
  for (const source of projected?.sources ?? []) {
    const mode = projected?.defaultMode;
    if (source.configMap !== undefined) builder.configMap({ ...source.configMap, mode });
    else if (source.secret !== undefined) builder.secret({ ...source.secret, mode });
    else if (source.downwardAPI !== undefined) builder.downward(source.downwardAPI.items, mode);
    else if (source.serviceAccountToken !== undefined) {
      builder.token(source.serviceAccountToken, mode);
    } else builder.fail(`volume "${volume.name}" has an unsupported projection`);
  }
  return builder.result();
}

interface KeyedSource {
  name?: string;
  items?: KeyToPath[];
  optional?: boolean;
  mode?: number;
}

class FilesBuilder {
  readonly #pod: Pod;
  readonly #sources: FileSources;
  readonly #files = new Map<string, VolumeFile>();
  #problem: string | undefined;
  #bytes = 0;

  constructor(pod: Pod, sources: FileSources) {
    this.#pod = pod;
    this.#sources = sources;
  }

  fail(message: string): void {
    this.#problem ??= message;
  }

  result(): FilesResult {
    return this.#problem === undefined
      ? { ok: true, files: this.#files }
      : { ok: false, message: this.#problem };
  }

  configMap(source: KeyedSource): void {
    const map = this.#sources.configMap(source.name ?? "");
    const data = new Map<string, Buffer>();
    for (const [key, text] of Object.entries(map?.data ?? {})) data.set(key, Buffer.from(text));
    for (const [key, base64] of Object.entries(map?.binaryData ?? {})) {
      data.set(key, Buffer.from(base64, "base64"));
    }
    this.#keyed("configmap", source, map === undefined ? undefined : data);
  }

  secret(source: KeyedSource): void {
    const secret = this.#sources.secret(source.name ?? "");
    const entries = Object.entries(secret?.data ?? {}).map(
      ([key, base64]) => [key, Buffer.from(base64, "base64")] as const,
    );
    this.#keyed("secret", source, secret === undefined ? undefined : new Map(entries));
  }

  #keyed(
    kind: "configmap" | "secret",
    source: KeyedSource,
    data: ReadonlyMap<string, Buffer> | undefined,
  ): void {
    const { name = "", items, optional, mode } = source;
    if (data === undefined) {
      if (optional !== true) this.fail(`${kind} "${name}" not found`);
      return;
    }
    if (items === undefined || items.length === 0) {
      for (const [key, content] of data) this.#add(key, content, mode);
      return;
    }
    for (const item of items) {
      const content = data.get(item.key);
      if (content !== undefined) this.#add(item.path, content, item.mode ?? mode);
      else if (optional !== true) {
        this.fail(
          `references non-existent ${kind === "secret" ? "secret" : "config"} key: ${item.key}`,
        );
      }
    }
  }

  downward(items: NonNullable<Volume["downwardAPI"]>["items"] = [], mode?: number): void {
    const { facts, podIp } = this.#sources;
    for (const item of items) {
      const value =
        item.fieldRef !== undefined
          ? fieldValue(this.#pod, item.fieldRef.fieldPath, facts, podIp)
          : item.resourceFieldRef !== undefined
            ? resourceValue(this.#pod, item.resourceFieldRef, facts)
            : { ok: false as const, message: `downwardAPI item ${item.path} has no reference` };
      if (value.ok) this.#add(item.path, Buffer.from(value.value), item.mode ?? mode);
      else this.fail(value.message);
    }
  }

  token(projection: ServiceAccountTokenProjection, mode?: number): void {
    const token = this.#sources.token(projection);
    if (token === undefined) this.fail("failed to fetch token");
    else this.#add(projection.path, Buffer.from(token), mode);
  }

  #add(path: string, content: Buffer, mode = DEFAULT_MODE): void {
    const parts = path.split("/");
    if (path === "" || parts.some((part) => part === "" || part === "." || part === "..")) {
      this.fail(`path ${JSON.stringify(path)} leads out of the volume`);
    } else if (parts[0]?.startsWith("..") === true) {
      this.fail(`path ${JSON.stringify(path)} must not begin with ".."`);
    } else {
      this.#bytes += content.length;
      if (this.#bytes > MAX_TOTAL_BYTES)
        this.fail(`volume is larger than ${MAX_TOTAL_BYTES} bytes`);
      this.#files.set(path, { content, mode: mode & 0o777 });
    }
  }
}
