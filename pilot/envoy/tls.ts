/** Transport sockets. */

import { isIP } from "node:net";
import type {
  ClientTls,
  CredentialSource,
  PeerChecks,
  ServerTls,
  TrustSource,
} from "#pilot/ir/tls.ts";
import { type Extension, FROM_ADS, extension, nonEmpty, set } from "./any.ts";

const TLS = "envoy.transport_sockets.tls";
const CONTEXTS = "envoy.extensions.transport_sockets.tls.v3";
const SYSTEM_ROOTS = "/etc/ssl/certs/ca-certificates.crt";

/** The workload's own certificate is served by its node, at a static cluster of the bootstrap. */
const FROM_NODE = {
  apiConfigSource: {
    apiType: "GRPC",
    transportApiVersion: "V3",
    grpcServices: [{ envoyGrpc: { clusterName: "sds-grpc" } }],
    setNodeOnFirstMessageOnly: true,
  },
  initialFetchTimeout: "0s",
  resourceApiVersion: "V3",
};

/**
 * A listener waits so long for a certificate that never comes, and then goes on without: only
 * connections that need it are refused. Delta clients are told at once that there is none.
 */
const SECRET_FROM_ADS = { ...FROM_ADS, initialFetchTimeout: "5s" };

const SERVER_CIPHERS = [
  "ECDHE-ECDSA-AES256-GCM-SHA384",
  "ECDHE-RSA-AES256-GCM-SHA384",
  "ECDHE-ECDSA-AES128-GCM-SHA256",
  "ECDHE-RSA-AES128-GCM-SHA256",
  "AES256-GCM-SHA384",
  "AES128-GCM-SHA256",
];

export function serverSocket(tls: ServerTls): Extension {
  return extension(TLS, `${CONTEXTS}.DownstreamTlsContext`, {
    commonTlsContext: {
      tlsParams: set({
        tlsMinimumProtocolVersion: tls.minVersion ?? "TLSv1_2",
        tlsMaximumProtocolVersion: tls.maxVersion,
        cipherSuites: tls.cipherSuites.length > 0 ? tls.cipherSuites : SERVER_CIPHERS,
        ecdhCurves: tls.curves,
      }),
      ...serverCredentials(tls.credentials),
      ...trust(tls.trust, tls.subjectAltNames, checks(tls)),
      alpnProtocols: tls.alpn,
    },
    requireClientCertificate: tls.requireClientCertificate,
  });
}

export function clientSocket(tls: ClientTls): Extension {
  return extension(TLS, `${CONTEXTS}.UpstreamTlsContext`, {
    commonTlsContext: {
      tlsParams: set({
        tlsMinimumProtocolVersion: "TLSv1_2",
        tlsMaximumProtocolVersion: "TLSv1_3",
        cipherSuites: tls.cipherSuites,
        ecdhCurves: tls.curves,
      }),
      ...(tls.credential === undefined ? {} : credential(tls.credential)),
      ...trust(tls.trust, tls.subjectAltNames, revocation(tls.revoked)),
      ...nonEmpty({ alpnProtocols: tls.alpn }),
    },
    ...(tls.serverName === "" ? {} : { sni: tls.serverName }),
  });
}

/** Connections through `inner` that begin with a PROXY header. */
export function proxyProtocolSocket(version: "V1" | "V2", inner: Extension): Extension {
  return extension(
    "envoy.transport_sockets.upstream_proxy_protocol",
    "envoy.extensions.transport_sockets.proxy_protocol.v3.ProxyProtocolUpstreamTransport",
    { config: { version }, transportSocket: inner },
  );
}

/** All in files, or all by discovery: one list excludes the other. */
function serverCredentials(sources: readonly CredentialSource[]): object {
  const all = sources.map((source) => credential(source));
  const of = (field: string): unknown[] =>
    all.flatMap((one) => (new Map(Object.entries(one)).get(field) as unknown[] | undefined) ?? []);
  return nonEmpty({
    tlsCertificateSdsSecretConfigs: of("tlsCertificateSdsSecretConfigs"),
    tlsCertificates: of("tlsCertificates"),
  });
}

function checks(tls: PeerChecks): object {
  return {
    ...nonEmpty({
      verifyCertificateSpki: tls.publicKeys,
      verifyCertificateHash: tls.certificateHashes,
    }),
    ...(tls.acceptUntrusted ? { trustChainVerification: "ACCEPT_UNTRUSTED" } : {}),
    ...revocation(tls.revoked),
  };
}

function revocation(file: string | undefined): object {
  return file === undefined ? {} : { crl: { filename: file } };
}

export function plainSocket(): Extension {
  return extension(
    "envoy.transport_sockets.raw_buffer",
    "envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer",
  );
}

function credential(source: CredentialSource): object {
  switch (source.kind) {
    case "workload":
      return { tlsCertificateSdsSecretConfigs: [{ name: "default", sdsConfig: FROM_NODE }] };
    case "named":
      return {
        tlsCertificateSdsSecretConfigs: [{ name: source.name, sdsConfig: SECRET_FROM_ADS }],
      };
    case "files":
      return {
        tlsCertificates: [
          {
            certificateChain: { filename: source.certificate },
            privateKey: { filename: source.privateKey },
          },
        ],
      };
  }
}

function trust(
  source: TrustSource | undefined,
  names: readonly string[],
  more: object = {},
): object {
  if (source === undefined) return {};
  const san = {
    ...nonEmpty({
      matchTypedSubjectAltNames: names.flatMap((name) =>
        ["URI", isIP(name) === 0 ? "DNS" : "IP_ADDRESS"].map((sanType) => ({
          sanType,
          matcher: { exact: name },
        })),
      ),
    }),
    ...more,
  };
  switch (source.kind) {
    case "workload":
    case "named":
      return {
        combinedValidationContext: {
          defaultValidationContext: san,
          validationContextSdsSecretConfig: {
            name: source.kind === "workload" ? "ROOTCA" : source.name,
            sdsConfig: source.kind === "workload" ? FROM_NODE : SECRET_FROM_ADS,
          },
        },
      };
    case "file":
      return { validationContext: { trustedCa: { filename: source.path }, ...san } };
    case "system":
      return { validationContext: { trustedCa: { filename: SYSTEM_ROOTS }, ...san } };
  }
}
