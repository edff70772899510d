/** Certificates and keys that proxies discover by name. */

import type { Origin } from "./origin.ts";

/** Bytes that are shown by their digest only. */
export interface SealedBytes {
  readonly digest: string;
  /** Base64 of the bytes. */
  reveal(): string;
}

export type SecretContent =
  | {
      readonly kind: "certificate";
      readonly certificate: SealedBytes;
      readonly privateKey: SealedBytes;
      readonly ocspStaple?: SealedBytes;
    }
  | {
      readonly kind: "trust";
      readonly authorities: SealedBytes;
      readonly revoked?: SealedBytes;
    }
  /** Files where the proxy runs, read again when they are replaced. */
  | {
      readonly kind: "certificate-files";
      readonly certificate: string;
      readonly privateKey: string;
    }
  | { readonly kind: "trust-file"; readonly path: string };

export interface Secret {
  /** As the transport security of a listener or cluster names it. */
  readonly name: string;
  readonly content: SecretContent;
  readonly origins: readonly Origin[];
}
