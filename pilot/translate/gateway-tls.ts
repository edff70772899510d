/** How a gateway's server ends TLS. */

import type { ServerTLSSettings } from "#crds/types/networking-v1.ts";
import type { IrProblem } from "#pilot/ir/scope-ir.ts";
import type { CredentialSource, ServerTls, TlsVersion, TrustSource } from "#pilot/ir/tls.ts";
import type { MeshConfig } from "#pilot/model/mesh-config.ts";
import type { PlannedServer } from "./gateway-plan.ts";
import { type Translated, error, reporter } from "./result.ts";

/**
 * Undefined (with a problem) where the server's certificate can't be had: it is then not served.
 */
export function serverTls(
  { server, gateway, path }: PlannedServer,
  mesh: MeshConfig,
): Translated<ServerTls | undefined> {
  const report = reporter(gateway.key);
  const spec = server.tls;
  const at = `${path}.tls`;
  if (spec === undefined) {
    error(report, at, "NoCertificate", "a port that ends TLS needs tls settings");
    return { value: undefined, problems: report.problems };
  }
  const credential = credentialOf(spec);
  if (credential === undefined) {
    error(
      report,
      at,
      "NoCertificate",
      "credentialName, or serverCertificate and privateKey, is missing",
    );
  } else if (credential.kind === "named") {
    const message = `Secret ${spec.credentialName} cannot be served in this version`;
    error(report, `${at}.credentialName`, "CredentialNotServed", message);
  } else if (credential.kind === "workload" && mesh.peerTls === "DISABLE") {
    const message = "mutual TLS between proxies is off in this mesh";
    error(report, `${at}.mode`, "MeshTlsDisabled", message);
  }
  const problems: readonly IrProblem[] = report.problems;
  if (credential === undefined || problems.length > 0) return { value: undefined, problems };
  return { value: buildServerTls(spec, credential), problems };
}

function credentialOf(spec: ServerTLSSettings): CredentialSource | undefined {
  if (spec.mode === "ISTIO_MUTUAL") return { kind: "workload" };
  const name = spec.credentialName ?? spec.credentialNames?.[0] ?? "";
  if (name !== "") return { kind: "named", name: `kubernetes://${name}` };
  const { serverCertificate = "", privateKey = "" } = spec;
  if (serverCertificate === "" || privateKey === "") return undefined;
  return { kind: "files", certificate: serverCertificate, privateKey };
}

function buildServerTls(spec: ServerTLSSettings, credential: CredentialSource): ServerTls {
  const mutual = spec.mode === "MUTUAL" || spec.mode === "OPTIONAL_MUTUAL";
  const trust = mutual || spec.mode === "ISTIO_MUTUAL" ? trustOf(spec, credential) : undefined;
  const minVersion = versionOf(spec.minProtocolVersion);
  const maxVersion = versionOf(spec.maxProtocolVersion);
  return {
    credential,
    ...(trust === undefined ? {} : { trust }),
    requireClientCertificate: spec.mode === "MUTUAL" || spec.mode === "ISTIO_MUTUAL",
    subjectAltNames: spec.subjectAltNames ?? [],
    ...(minVersion === undefined ? {} : { minVersion }),
    ...(maxVersion === undefined ? {} : { maxVersion }),
    cipherSuites: spec.cipherSuites ?? [],
    alpn: ["h2", "http/1.1"],
  };
}

function trustOf(spec: ServerTLSSettings, credential: CredentialSource): TrustSource {
  if (credential.kind === "workload") return { kind: "workload" };
  if (credential.kind === "named") return { kind: "named", name: `${credential.name}-cacert` };
  return { kind: "file", path: spec.caCertificates ?? "" };
}

const VERSIONS: ReadonlyMap<string, TlsVersion> = new Map([
  ["TLSV1_0", "TLSv1_0"],
  ["TLSV1_1", "TLSv1_1"],
  ["TLSV1_2", "TLSv1_2"],
  ["TLSV1_3", "TLSv1_3"],
]);

function versionOf(text: string | undefined): TlsVersion | undefined {
  return text === undefined ? undefined : VERSIONS.get(text);
}
