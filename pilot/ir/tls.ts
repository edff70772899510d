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

/** What a peer's certificate must fulfil besides being issued by someone trusted. */
export interface PeerChecks {
  readonly subjectAltNames: readonly string[];
  /** Base64 of SHA-256 hashes; one of them, or of the certificates', must be the peer's. */
  readonly publicKeys: readonly string[];
  /** Hexadecimal SHA-256. */
  readonly certificateHashes: readonly string[];
  /** A certificate of an unknown issuer is taken too. */
  readonly acceptUntrusted: boolean;
  /** File with a list of revoked certificates. */
  readonly revoked?: string;
}

export interface ServerTls extends PeerChecks {
  /** At least one; of several the client's abilities decide (RSA and ECDSA). */
  readonly credentials: readonly CredentialSource[];
  /** Client certificates: asked for where a trust is given. */
  readonly trust?: TrustSource;
  readonly requireClientCertificate: boolean;
  readonly minVersion?: TlsVersion;
  readonly maxVersion?: TlsVersion;
  readonly cipherSuites: readonly string[];
  readonly curves?: readonly string[];
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
  /** The proxy's own where absent. */
  readonly cipherSuites?: readonly string[];
  readonly curves?: readonly string[];
  readonly alpn: readonly string[];
}

export type TlsVersion = "TLSv1_0" | "TLSv1_1" | "TLSv1_2" | "TLSv1_3";
