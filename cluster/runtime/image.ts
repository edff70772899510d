/** What a container is made from, whichever of the three ways the image came. */

/** A file or folder of the host that an image shows read-only at `target`. */
export interface HostMount {
  source: string;
  target: string;
}

export interface ImageConfig {
  entrypoint: readonly string[];
  cmd: readonly string[];
  env: Readonly<Record<string, string>>;
  /** `uid[:gid]` or names of the image's /etc/passwd; empty is root. */
  user: string;
  workingDir: string;
  /** For example `SIGQUIT`; SIGTERM when absent. */
  stopSignal?: string;
}

export type ImageRoot =
  /** A copy-on-write view of the host's own root. */
  | { kind: "host"; mounts: readonly HostMount[] }
  /** Names of unpacked layers in the layer folder, the topmost first. */
  | { kind: "layers"; layers: readonly string[] };

export interface Image {
  /** The complete reference that was asked for. */
  reference: string;
  /** `sha256:<hex>` of the image's configuration. */
  id: string;
  /** What a pod's `imageID` says: `name@digest` of the manifest, or the id. */
  ref: string;
  sizeBytes: number;
  config: ImageConfig;
  root: ImageRoot;
}

/** Why an image can't be had, in the words of the kubelet's waiting reasons. */
export type ImageErrorReason =
  "ErrImagePull" | "InvalidImageName" | "ErrImageNeverPull" | "RegistryUnavailable";

/** Thrown by everything that resolves, reads or pulls images. */
export class ImageError extends Error {
  readonly reason: ImageErrorReason;

  constructor(reason: ImageErrorReason, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "ImageError";
    this.reason = reason;
  }
}
