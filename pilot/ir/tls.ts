/** Transport security of a listener's chain or of a cluster. */

/** A certificate or trust bundle: named and served by discovery, or in files of the proxy. */
export type CredentialSource =
  | { readonly kind: "workload" }
  | { readonly kind: "named"; readonly name: string }
  | { readonly kind: "files"; readonly certificate: string; readonly privateKey: string };

export type TrustSource =
  | { readonly kind: "workload" }
  | { readonly kind: "named"; readonly name: string }
  | { readonly kind: "file"; readonly path: string }
  | { readonly kind: "system" };

export interface ServerTls {
  readonly credential: CredentialSource;
  /** Client certificates: asked for where a trust is given. */
  readonly trust?: TrustSource;
  readonly requireClientCertificate: boolean;
  readonly subjectAltNames: readonly string[];
  readonly minVersion?: TlsVersion;
  readonly maxVersion?: TlsVersion;
  readonly cipherSuites: readonly string[];
  readonly alpn: readonly string[];
}

export interface ClientTls {
  readonly credential?: CredentialSource;
  /** Absent: the server's certificate isn't verified. */
  readonly trust?: TrustSource;
  /** File of revoked certificates. */
  readonly revoked?: string;
  readonly serverName: string;
  /** The server name is the request's host where none is configured. */
  readonly autoServerName: boolean;
  /** The certificate must be for the request's host. */
  readonly autoSubjectAltName: boolean;
  readonly subjectAltNames: readonly string[];
  readonly alpn: readonly string[];
}

export type TlsVersion = "TLSv1_0" | "TLSv1_1" | "TLSv1_2" | "TLSv1_3";
