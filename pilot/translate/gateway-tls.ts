/** How a gateway's server, or a Sidecar's ingress, ends TLS. */

import type { ServerTLSSettings } from "#crds/types/networking-v1.ts";
import type {
  CredentialSource,
  PeerChecks,
  ServerTls,
  TlsVersion,
  TrustSource,
} from "#pilot/ir/tls.ts";
import {
  type CredentialUse,
  type ServerTlsPlace,
  usesOfServer,
  usesOfServerTls,
} from "#pilot/model/credential-use.ts";
import type { MeshConfig } from "#pilot/model/mesh-config.ts";
import type { PlannedServer } from "./gateway-plan.ts";
import { type Reporter, type Translated, error, reporter, warn } from "./result.ts";
import { resourceOf } from "./secrets.ts";
import { cipherSuites } from "./tls-ciphers.ts";

const MUTUAL: ReadonlySet<string> = new Set(["MUTUAL", "OPTIONAL_MUTUAL"]);
const HTTP_ALPN = ["h2", "http/1.1"];
/** Sidecars that open a connection of the mesh for raw bytes say so. */
const MESH_TCP_ALPN = ["istio-peer-exchange", "h2", "http/1.1"];

/**
 * Undefined (with a problem) where it isn't said which certificate to show or trust: the server is
 * then not served. Whether a named certificate exists is another matter: it comes by discovery, and
 * connections are refused until it does.
 */
export function serverTls(
  planned: PlannedServer,
  mesh: MeshConfig,
): Translated<ServerTls | undefined> {
  const { server, gateway, kind, path } = planned;
  const report = reporter(gateway.key);
  const at = `${path}.tls`;
  const spec = server.tls;
  if (spec === undefined) {
    error(report, at, "NoCertificate", "a port that ends TLS needs tls settings");
    return { value: undefined, problems: report.problems };
  }
  const uses = usesOfServer(gateway, server, indexIn(path));
  const value = endTls(spec, { uses, at, carriesRequests: kind !== "tls" }, mesh, report);
  return { value, problems: report.problems };
}

/** As `serverTls`, for a port that a Sidecar's proxies end TLS of. */
export function ingressTls(
  spec: ServerTLSSettings,
  place: ServerTlsPlace,
  mesh: MeshConfig,
): Translated<ServerTls | undefined> {
  const report = reporter(place.object);
  const uses = usesOfServerTls(spec, place);
  const value = endTls(spec, { uses, at: place.path, carriesRequests: true }, mesh, report);
  return { value, problems: report.problems };
}

function endTls(
  spec: ServerTLSSettings,
  {
    uses,
    at,
    carriesRequests,
  }: {
    readonly uses: readonly CredentialUse[];
    readonly at: string;
    readonly carriesRequests: boolean;
  },
  mesh: MeshConfig,
  report: Reporter,
): ServerTls | undefined {
  const sources =
    spec.mode === "ISTIO_MUTUAL"
      ? workloadSources(mesh, at, report)
      : configuredSources(uses, spec, at, report);
  if (sources === undefined) return undefined;
  const ofMesh = spec.mode === "ISTIO_MUTUAL";
  return {
    ...sources,
    requireClientCertificate: spec.mode === "MUTUAL" || ofMesh,
    ...checksOf(spec, at, sources.trust !== undefined, report),
    ...(ofMesh ? { cipherSuites: [] } : parametersOf(spec, mesh, at, report)),
    alpn: ofMesh && !carriesRequests ? MESH_TCP_ALPN : HTTP_ALPN,
  };
}

type Sources = Pick<ServerTls, "credentials" | "trust">;

function workloadSources(mesh: MeshConfig, at: string, report: Reporter): Sources | undefined {
  if (mesh.peerTls === "DISABLE") {
    error(
      report,
      `${at}.mode`,
      "MeshTlsDisabled",
      "proxies without certificates of the mesh can't take its TLS",
    );
    return undefined;
  }
  return { credentials: [{ kind: "workload" }], trust: { kind: "workload" } };
}

function configuredSources(
  uses: readonly CredentialUse[],
  spec: ServerTLSSettings,
  at: string,
  report: Reporter,
): Sources | undefined {
  const of = (purpose: CredentialUse["purpose"]): { kind: "named"; name: string }[] =>
    uses
      .filter((use) => use.purpose === purpose)
      .map((use) => ({ kind: "named", name: resourceOf(use) }));
  const credentials: CredentialSource[] = of("certificate");
  if (credentials.length === 0) {
    const message = "credentialName, or serverCertificate and privateKey, is missing";
    error(report, at, "NoCertificate", message);
    return undefined;
  }
  if (!MUTUAL.has(spec.mode ?? "SIMPLE")) return { credentials };
  const [trust]: TrustSource[] = of("trust");
  if (trust === undefined) {
    const message =
      "credentialName, caCertCredentialName or caCertificates is missing: whom to trust";
    error(report, at, "NoTrust", message);
    return undefined;
  }
  return { credentials, trust };
}

/** The index in `spec.servers[3]`. */
function indexIn(path: string): number {
  return Number(path.slice(path.indexOf("[") + 1, path.indexOf("]")));
}

const SPKI = /^[A-Za-z0-9+/]{43}=$/;
const HASH = /^(?:[0-9a-fA-F]{64}|(?:[0-9a-fA-F]{2}:){31}[0-9a-fA-F]{2})$/;

/** What is asked of clients' certificates; nothing of it counts where nobody asks for one. */
function checksOf(
  spec: ServerTLSSettings,
  at: string,
  asks: boolean,
  report: Reporter,
): PeerChecks {
  const { subjectAltNames = [], caCrl = "" } = spec;
  const { verifyCertificateSpki = [], verifyCertificateHash = [] } = spec;
  if (!asks) {
    const all = { subjectAltNames, verifyCertificateSpki, verifyCertificateHash };
    for (const [field, values] of Object.entries(all)) {
      const message = "has an effect only where clients show certificates: mode MUTUAL";
      if (values.length > 0) warn(report, `${at}.${field}`, "NoEffect", message);
    }
    return { subjectAltNames: [], publicKeys: [], certificateHashes: [], acceptUntrusted: false };
  }
  const valid = (field: string, values: readonly string[], form: RegExp): string[] => {
    const wrong = values.filter((value) => !form.test(value));
    for (const _ of wrong) error(report, `${at}.${field}`, "InvalidHash", "is no SHA-256 hash");
    return values.filter((value) => form.test(value));
  };
  return {
    subjectAltNames,
    publicKeys: valid("verifyCertificateSpki", verifyCertificateSpki, SPKI),
    certificateHashes: valid("verifyCertificateHash", verifyCertificateHash, HASH),
    acceptUntrusted: spec.insecureSkipVerify === true,
    ...(caCrl === "" ? {} : { revoked: caCrl }),
  };
}

const VERSIONS: ReadonlyMap<string, TlsVersion> = new Map([
  ["TLSV1_0", "TLSv1_0"],
  ["TLSV1_1", "TLSv1_1"],
  ["TLSV1_2", "TLSv1_2"],
  ["TLSV1_3", "TLSv1_3"],
]);

/** The server's own settings over the mesh's `tlsDefaults`. */
function parametersOf(
  spec: ServerTLSSettings,
  mesh: MeshConfig,
  at: string,
  report: Reporter,
): Pick<ServerTls, "minVersion" | "maxVersion" | "cipherSuites" | "curves"> {
  const minVersion = VERSIONS.get(spec.minProtocolVersion ?? "") ?? mesh.tlsDefaults?.minVersion;
  const maxVersion = VERSIONS.get(spec.maxProtocolVersion ?? "");
  const isEmpty = maxVersion !== undefined && maxVersion < (minVersion ?? "TLSv1_2");
  if (isEmpty) {
    const message = `is below the lowest version, ${minVersion ?? "TLSv1_2"}; set minProtocolVersion`;
    error(report, `${at}.maxProtocolVersion`, "NoVersion", message);
  }
  const own = cipherSuites(spec.cipherSuites ?? [], `${at}.cipherSuites`, report);
  const curves = mesh.tlsDefaults?.curves ?? [];
  return {
    ...(minVersion === undefined ? {} : { minVersion }),
    ...(maxVersion === undefined || isEmpty ? {} : { maxVersion }),
    cipherSuites: own.length > 0 ? own : (mesh.tlsDefaults?.cipherSuites ?? []),
    ...(curves.length === 0 ? {} : { curves }),
  };
}
