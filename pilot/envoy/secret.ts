/** envoy.extensions.transport_sockets.tls.v3.Secret: the one message that reveals what is sealed. */

import { dirname } from "node:path";
import type { Secret, SealedBytes } from "#pilot/ir/secret.ts";

export function buildSecret({ name, content }: Secret): object {
  switch (content.kind) {
    case "certificate":
      return {
        name,
        tlsCertificate: {
          certificateChain: inline(content.certificate),
          privateKey: inline(content.privateKey),
          ...(content.ocspStaple === undefined ? {} : { ocspStaple: inline(content.ocspStaple) }),
        },
      };
    case "trust":
      return {
        name,
        validationContext: {
          trustedCa: inline(content.authorities),
          ...(content.revoked === undefined ? {} : { crl: inline(content.revoked) }),
        },
      };
    case "certificate-files":
      return {
        name,
        tlsCertificate: {
          certificateChain: { filename: content.certificate },
          privateKey: { filename: content.privateKey },
          // Mounted Secrets are replaced by moving a link in their folder.
          watchedDirectory: { path: dirname(content.certificate) },
        },
      };
    case "trust-file":
      return {
        name,
        validationContext: {
          trustedCa: { filename: content.path },
          watchedDirectory: { path: dirname(content.path) },
        },
      };
  }
}

function inline(bytes: SealedBytes): object {
  return { inlineBytes: bytes.reveal() };
}
