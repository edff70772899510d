import { describe, expect, test } from "@jest/globals";
import type { ClientTLSSettings } from "#crds/types/networking-v1.ts";
import { DEFAULT_MESH } from "#pilot/model/mesh-config.ts";
import type { ObjectKey } from "#pilot/model/name.ts";
import type { Service, ServicePort } from "#pilot/model/object.ts";
import { type TlsInput, transportSecurity } from "./client-tls.ts";
import { reporter } from "./result.ts";

const PORT: ServicePort = { number: 443, name: "https", protocol: "HTTPS", targetPort: 443 };

const INPUT: TlsInput = {
  service: {
    host: "api.example.org",
    source: "ServiceEntry/default/api",
    resolution: "dns",
    external: true,
    subjectAltNames: ["spiffe://api"],
  } as unknown as Service,
  port: PORT,
  subset: undefined,
  mesh: DEFAULT_MESH,
  proxyType: "sidecar",
  selective: false,
  goesAnyway: false,
  allSpeakMeshTls: false,
  http2: false,
};

function secured(
  spec: ClientTLSSettings,
  input: Partial<TlsInput> = {},
): ReturnType<typeof transportSecurity> & { problems: string[] } {
  const report = reporter("DestinationRule/default/api" as ObjectKey);
  const made = transportSecurity(spec, { ...INPUT, ...input }, { report, path: "p" });
  return { ...made, problems: report.problems.map((one) => `${one.path} ${one.reason}`) };
}

test("verifies the requested host by system roots where nothing else is said", () => {
  expect(secured({ mode: "SIMPLE" })).toMatchObject({
    tls: {
      trust: { kind: "system" },
      serverName: "",
      autoServerName: true,
      autoSubjectAltName: true,
      subjectAltNames: ["spiffe://api"],
      alpn: [],
    },
    problems: [],
  });
});

test("expects written names instead of the requested one", () => {
  const spec: ClientTLSSettings = { mode: "SIMPLE", subjectAltNames: ["a.example.org"] };
  const { tls } = secured(spec);
  expect(tls).toMatchObject({ autoSubjectAltName: false, subjectAltNames: ["a.example.org"] });
});

test("verifies nothing where it is told to", () => {
  const { tls } = secured({ mode: "SIMPLE", insecureSkipVerify: true, caCrl: "/crl" });
  expect(tls).toMatchObject({ autoServerName: true, autoSubjectAltName: false });
  expect(tls).not.toHaveProperty("trust");
  expect(tls).not.toHaveProperty("revoked");
});

test("takes certificates from files, with those that are revoked", () => {
  const { tls } = secured({
    mode: "MUTUAL",
    clientCertificate: "/c",
    privateKey: "/k",
    caCertificates: "/ca",
    caCrl: "/crl",
  });
  expect(tls).toMatchObject({
    credential: { kind: "files", certificate: "/c", privateKey: "/k" },
    trust: { kind: "file", path: "/ca" },
    revoked: "/crl",
  });
});

test("never sends plain text for a certificate that is missing", () => {
  const made = secured({ mode: "MUTUAL" });
  expect(made.tls).toMatchObject({ trust: { kind: "system" } });
  expect(made.problems).toEqual(["p.tls NoClientCertificate"]);
});

test("names secrets for gateways and for rules of chosen workloads only", () => {
  const spec: ClientTLSSettings = { mode: "MUTUAL", credentialName: "api" };
  const named = {
    credential: { kind: "named", name: "kubernetes://api" },
    trust: { kind: "named", name: "kubernetes://api-cacert" },
  };
  expect(secured(spec, { proxyType: "router" }).tls).toMatchObject(named);
  expect(secured(spec, { selective: true }).tls).toMatchObject(named);
  expect(secured(spec)).toEqual({ problems: ["p.tls.credentialName NeedsSelector"] });
  const authorities = { mode: "SIMPLE" as const, credentialName: "configmap://default/ca" };
  expect(secured(authorities).tls).toMatchObject({
    trust: { kind: "named", name: "configmap://default/ca" },
  });
});

test("offers h2 where the cluster speaks it", () => {
  expect(secured({ mode: "SIMPLE" }, { http2: true }).tls).toMatchObject({ alpn: ["h2"] });
});

test("keeps to the mesh's ciphers and curves, but not with its certificates", () => {
  const tlsDefaults = { cipherSuites: ["ECDHE-RSA-AES128-GCM-SHA256"], curves: ["P-256"] };
  const mesh = { ...DEFAULT_MESH, tlsDefaults, peerTls: "PERMISSIVE" as const };
  const { cipherSuites, curves } = tlsDefaults;
  expect(secured({ mode: "SIMPLE" }, { mesh }).tls).toMatchObject({ cipherSuites, curves });
  expect(secured({ mode: "ISTIO_MUTUAL" }, { mesh }).tls).not.toHaveProperty("cipherSuites");
});

test("uses the mesh's certificates only where the mesh has some", () => {
  const spec: ClientTLSSettings = { mode: "ISTIO_MUTUAL" };
  const mesh = { ...DEFAULT_MESH, peerTls: "DISABLE" as const };
  expect(secured(spec, { mesh })).toEqual({ problems: ["p.tls.mode MeshTlsDisabled"] });
  expect(secured(spec, { subset: "v1" }).tls).toMatchObject({
    credential: { kind: "workload" },
    serverName: "outbound_.443_.v1_.api.example.org",
    alpn: ["istio-peer-exchange", "istio"],
  });
});

describe("without a rule, mutual TLS", () => {
  const mesh = { ...DEFAULT_MESH, peerTls: "PERMISSIVE" as const };
  const automatic = (
    resolution: Service["resolution"],
    more: Partial<TlsInput> = {},
    external = false,
  ): string[] => {
    const service = { ...INPUT.service, resolution, external };
    const report = reporter("Service/default/api" as ObjectKey);
    return Object.keys(
      transportSecurity(undefined, { ...INPUT, mesh, service, ...more }, { report, path: "" }),
    );
  };

  test("is decided by each endpoint, however it is found", () => {
    expect(automatic("discovery")).toEqual(["meshTls"]);
    expect(automatic("dns")).toEqual(["meshTls"]);
  });

  test("is not for what is outside of the mesh", () => {
    expect(automatic("discovery", {}, true)).toEqual([]);
    expect(automatic("dns-on-request", {}, false)).toEqual([]);
  });

  test("needs all endpoints where connections go anyway", () => {
    expect(automatic("original", { goesAnyway: true })).toEqual([]);
    expect(automatic("original", { goesAnyway: true, allSpeakMeshTls: true })).toEqual(["tls"]);
    expect(automatic("original", { proxyType: "router" })).toEqual(["meshTls"]);
  });
});
