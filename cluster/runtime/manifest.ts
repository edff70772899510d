/** OCI and Docker manifests, parsed from untrusted JSON. */

import type { ImageConfig } from "./image.ts";

export interface Descriptor {
  mediaType: string;
  digest: string;
  size: number;
  annotations: ReadonlyMap<string, string>;
  platform?: { architecture: string; os: string };
}

export interface Manifest {
  config: Descriptor;
  /** The lowest first. */
  layers: readonly Descriptor[];
}

export const INDEX_TYPES = [
  "application/vnd.oci.image.index.v1+json",
  "application/vnd.docker.distribution.manifest.list.v2+json",
];

export const MANIFEST_TYPES = [
  "application/vnd.oci.image.manifest.v1+json",
  "application/vnd.docker.distribution.manifest.v2+json",
];

const DIGEST = /^sha256:[0-9a-f]{64}$/;
const MAX_LAYERS = 127;
const ARCHITECTURES: Readonly<Record<string, string>> = { x64: "amd64", arm64: "arm64" };

/** This machine's architecture in Go's words. */
export function goArchitecture(): string {
  return ARCHITECTURES[process.arch] ?? process.arch;
}

/** The entries of an index; an image index chooses by platform, a layout by annotation. */
export function parseIndex(document: unknown): readonly Descriptor[] {
  const manifests = record(document).manifests;
  if (!Array.isArray(manifests)) throw new Error("index has no manifests");
  return manifests.slice(0, 1000).map(parseDescriptor);
}

/** The manifest for this machine; one without a platform is taken when none matches. */
export function choosePlatform(descriptors: readonly Descriptor[]): Descriptor {
  const architecture = goArchitecture();
  const fitting =
    descriptors.find(
      ({ platform }) => platform?.os === "linux" && platform.architecture === architecture,
    ) ?? descriptors.find(({ platform }) => platform === undefined);
  if (fitting === undefined) throw new Error(`no manifest for linux/${architecture} in the index`);
  return fitting;
}

/** Whether a document is an index rather than a manifest. */
export function isIndex(document: unknown): boolean {
  return Array.isArray(record(document).manifests);
}

export function parseManifest(document: unknown): Manifest {
  const { config, layers } = record(document);
  if (config === undefined || !Array.isArray(layers)) {
    throw new Error("manifest has no config or no layers (schema 1 is not supported)");
  }
  if (layers.length > MAX_LAYERS) throw new Error(`more than ${MAX_LAYERS} layers`);
  return { config: parseDescriptor(config), layers: layers.map(parseDescriptor) };
}

/** The `config` part of an image configuration, with its absent fields made explicit. */
export function parseImageConfig(document: unknown): ImageConfig {
  const config = record(record(document).config ?? {});
  const env: Record<string, string> = {};
  for (const entry of texts(config.Env)) {
    const equals = entry.indexOf("=");
    if (equals > 0) env[entry.slice(0, equals)] = entry.slice(equals + 1);
  }
  const stopSignal = config.StopSignal;
  return {
    entrypoint: texts(config.Entrypoint),
    cmd: texts(config.Cmd),
    env,
    user: typeof config.User === "string" ? config.User : "",
    workingDir: typeof config.WorkingDir === "string" ? config.WorkingDir : "",
    stopSignal: typeof stopSignal === "string" && stopSignal !== "" ? stopSignal : undefined,
  };
}

function parseDescriptor(value: unknown): Descriptor {
  const { mediaType, digest, size, annotations, platform } = record(value);
  if (typeof digest !== "string" || !DIGEST.test(digest)) {
    throw new Error(`digest ${JSON.stringify(digest)} must be sha256:<64 hex>`);
  }
  const place = platform === undefined ? undefined : record(platform);
  return {
    mediaType: typeof mediaType === "string" ? mediaType : "",
    digest,
    size: typeof size === "number" && Number.isSafeInteger(size) && size >= 0 ? size : 0,
    annotations: new Map(
      Object.entries(record(annotations ?? {})).filter(
        (entry): entry is [string, string] => typeof entry[1] === "string",
      ),
    ),
    platform:
      place === undefined
        ? undefined
        : { architecture: String(place.architecture), os: String(place.os) },
  };
}

function record(value: unknown): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new Error("expected a JSON object");
  }
  return value as Record<string, unknown>;
}

function texts(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((entry) => typeof entry === "string") : [];
}
