/** TLS towards a destination: what a rule writes, else mutual TLS of the mesh. */

import type { ClientTLSSettings } from "#crds/types/networking-v1.ts";
import type { Cluster } from "#pilot/ir/cluster.ts";
import { tlsServerName } from "#pilot/ir/name.ts";
import type { ClientTls, CredentialSource, TrustSource } from "#pilot/ir/tls.ts";
import { credentialResource, trustResource } from "#pilot/model/credential.ts";
import type { MeshConfig } from "#pilot/model/mesh-config.ts";
import type { Service, ServicePort } from "#pilot/model/object.ts";
import type { ProxyType } from "#pilot/model/proxy.ts";
import { type Reporter, error, warn } from "./result.ts";

export interface TlsInput {
  readonly service: Service;
  readonly port: ServicePort;
  readonly subset: string | undefined;
  readonly mesh: MeshConfig;
  readonly proxyType: ProxyType;
  /** The rule is for chosen workloads only. */
  readonly selective: boolean;
  /** Connections go where they were going, so no endpoint tells whether it takes TLS. */
  readonly goesAnyway: boolean;
  /** Of a service that is called by its endpoints' own addresses, whether every one takes TLS. */
  readonly allSpeakMeshTls: boolean;
  /** The cluster speaks HTTP/2 whatever clients speak. */
  readonly http2: boolean;
}

/** Of a destination's cluster; the place is that of the policy. */
export function transportSecurity(
  spec: ClientTLSSettings | undefined,
  input: TlsInput,
  place: { readonly report: Reporter; readonly path: string },
): Pick<Cluster, "tls" | "meshTls"> {
  const { report } = place;
  const path = `${place.path}.tls`;
  const { service, mesh } = input;
  if (spec !== undefined && spec.mode !== "ISTIO_MUTUAL") {
    const tls = writtenTls(spec, input, report, path);
    return tls === undefined ? {} : { tls };
  }
  if (mesh.peerTls === "DISABLE") {
    if (spec !== undefined) {
      const message = "proxies without certificates of the mesh send plain text";
      warn(report, `${path}.mode`, "MeshTlsDisabled", message);
    }
    return {};
  }
  const mutual = mutualTls(spec, input);
  if (spec !== undefined) return { tls: mutual };
  if (!mesh.automaticTls || service.external || service.resolution === "dns-on-request") return {};
  if (!input.goesAnyway) return { meshTls: mutual };
  return input.allSpeakMeshTls ? { tls: mutual } : {};
}

function mutualTls(spec: ClientTLSSettings | undefined, input: TlsInput): ClientTls {
  const { service, port, subset, http2 } = input;
  return {
    credential: { kind: "workload" },
    trust: { kind: "workload" },
    serverName: spec?.sni || tlsServerName(service.host, port.number, subset),
    autoServerName: false,
    autoSubjectAltName: false,
    subjectAltNames: spec?.subjectAltNames ?? service.subjectAltNames,
    alpn: ["istio-peer-exchange", "istio", ...(http2 ? ["h2"] : [])],
  };
}

/**
 * Undefined for plain text. Secrets by name are for gateways and chosen workloads: a rule for
 * everyone would make every sidecar wait for a secret that few may read (Istio, ClientTLSSettings).
 */
function writtenTls(
  spec: ClientTLSSettings,
  input: TlsInput,
  report: Reporter,
  path: string,
): ClientTls | undefined {
  if (spec.mode === undefined || spec.mode === "DISABLE") return undefined;
  const secret = spec.credentialName ?? "";
  const isSecret = secret !== "" && !secret.startsWith("configmap://");
  if (isSecret && input.proxyType === "sidecar" && !input.selective) {
    const message = "sidecars use it by a rule with a workloadSelector only: they send plain text";
    warn(report, `${path}.credentialName`, "NeedsSelector", message);
    return undefined;
  }
  const { service, http2 } = input;
  const fromEntry = service.source.startsWith("ServiceEntry/") ? service.subjectAltNames : [];
  const requested = service.resolution === "dns-on-request";
  const to = { names: fromEntry, requested, http2 };
  return clientTls(spec, to, input.mesh, { report, path });
}

/** TLS of calls to names that nobody declared (the mesh's `outboundTrafficPolicy.tls`). */
export function tlsToAnyName(mesh: MeshConfig, report: Reporter): ClientTls | undefined {
  const spec = mesh.outboundTls;
  if (spec === undefined || (spec.mode ?? "DISABLE") === "DISABLE") return undefined;
  const path = "data.mesh.outboundTrafficPolicy.tls";
  return clientTls(spec, { names: [], requested: true, http2: false }, mesh, { report, path });
}

function clientTls(
  spec: ClientTLSSettings,
  to: { readonly names: readonly string[]; readonly requested: boolean; readonly http2: boolean },
  mesh: MeshConfig,
  { report, path }: { readonly report: Reporter; readonly path: string },
): ClientTls {
  const { names: fromEntry, requested, http2 } = to;
  const secret = spec.credentialName ?? "";
  const names = spec.subjectAltNames ?? [];
  const autoServerName = (spec.sni ?? "") === "";
  const verified = spec.insecureSkipVerify !== true;
  const credential = spec.mode === "MUTUAL" ? credentialOf(spec, secret, report, path) : undefined;
  const trust = verified ? trustOf(spec, secret) : undefined;
  return {
    ...(credential === undefined ? {} : { credential }),
    ...(trust === undefined ? {} : { trust }),
    ...(trust === undefined || secret !== "" || (spec.caCrl ?? "") === ""
      ? {}
      : { revoked: spec.caCrl ?? "" }),
    serverName: spec.sni ?? "",
    autoServerName,
    autoSubjectAltName: verified && (requested || (autoServerName && names.length === 0)),
    subjectAltNames: names.length > 0 ? names : fromEntry,
    ...meshParameters(mesh),
    alpn: http2 ? ["h2"] : [],
  };
}

/** `tlsDefaults` of the mesh; they aren't for the mesh's own certificates. */
function meshParameters({ tlsDefaults }: MeshConfig): Pick<ClientTls, "cipherSuites" | "curves"> {
  const { cipherSuites = [], curves = [] } = tlsDefaults ?? {};
  return {
    ...(cipherSuites.length === 0 ? {} : { cipherSuites }),
    ...(curves.length === 0 ? {} : { curves }),
  };
}

function credentialOf(
  spec: ClientTLSSettings,
  secret: string,
  report: Reporter,
  path: string,
): CredentialSource | undefined {
  if (secret !== "") return { kind: "named", name: credentialResource(secret) };
  const { clientCertificate: certificate = "", privateKey = "" } = spec;
  if (certificate !== "" && privateKey !== "") return { kind: "files", certificate, privateKey };
  const message = "MUTUAL needs clientCertificate and privateKey, or credentialName";
  error(report, path, "NoClientCertificate", message);
  return undefined;
}

function trustOf(spec: ClientTLSSettings, secret: string): TrustSource {
  if (secret !== "") return { kind: "named", name: trustResource(secret) };
  const file = spec.caCertificates ?? "";
  return file === "" || file === "system" ? { kind: "system" } : { kind: "file", path: file };
}
