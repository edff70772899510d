/** No field that the mesh's API accepts is silently without effect. */

import { readdirSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { load } from "js-yaml";
import { loadCrds } from "#crds/load.ts";
import { readWorld } from "./world.ts";
import { type NamedWorld, leavesOf, textOf, told, tryLeaf } from "./field-trial.ts";

const WORLDS = join(import.meta.dirname, "testdata");
const MORE = join(import.meta.dirname, "field-worlds");
const worlds: readonly NamedWorld[] = [
  ...readdirSync(MORE).map((name) => ({ name, ...readWorld(join(MORE, name)) })),
  ...readdirSync(WORLDS).map((name) => ({ name, ...readWorld(join(WORLDS, name, "in.yaml")) })),
];

const KINDS = [
  "VirtualService",
  "DestinationRule",
  "Gateway",
  "ServiceEntry",
  "Sidecar",
  "WorkloadEntry",
  "WorkloadGroup",
  "EnvoyFilter",
  "Telemetry",
];

/** MeshConfig's fields (istio.io/api, mesh/v1alpha1/config.proto), each with a value that counts. */
const MESH: Readonly<Record<string, unknown>> = {
  proxyListenPort: 7,
  proxyInboundListenPort: 7,
  proxyHttpPort: 7,
  connectTimeout: "7s",
  hboneIdleTimeout: "7s",
  protocolDetectionTimeout: "7s",
  tcpKeepalive: { time: "7s" },
  enableTracing: false,
  accessLogFile: "/dev/stdout",
  accessLogFormat: "%PROTOCOL%",
  accessLogEncoding: "JSON",
  enableEnvoyAccessLogService: true,
  disableEnvoyListenerLog: true,
  outboundTrafficPolicy: { mode: "REGISTRY_ONLY" },
  inboundTrafficPolicy: { mode: "LOCALHOST" },
  configSources: [{}],
  enableAutoMtls: false,
  defaultServiceExportTo: ["~"],
  defaultVirtualServiceExportTo: ["~"],
  defaultDestinationRuleExportTo: ["~"],
  rootNamespace: "default",
  localityLbSetting: { enabled: false },
  zoneAwareLbSetting: { enabled: true },
  dnsRefreshRate: "7s",
  h2UpgradePolicy: "UPGRADE",
  inboundClusterStatName: "%SERVICE%",
  outboundClusterStatName: "%SERVICE%",
  certificates: [{}],
  serviceSettings: [{ settings: { clusterLocal: true }, hosts: ["*"] }],
  serviceScopeConfigs: [{}],
  verifyCertificateAtClient: false,
  ca: {},
  extensionProviders: [],
  defaultProviders: { accessLogging: ["envoy"] },
  discoverySelectors: [{ matchLabels: { x: "y" } }],
  pathNormalization: { normalization: "NONE" },
  defaultHttpRetryPolicy: { attempts: 7 },
  meshMTLS: { minProtocolVersion: "TLSV1_3" },
  tlsDefaults: { minProtocolVersion: "TLSV1_3" },
  defaultTrafficPolicy: { connectionPool: { tcp: { maxConnections: 7 } } },
  serviceEntryVisibility: {},
};

test.each(Object.entries(MESH))("the mesh's %s is honoured or told", (field, value) => {
  expect(worlds.some((world) => isFollowed(world, field, value))).toBe(true);
});

/** Whether the setting, beside the world's own, changes what proxies are told, or is a problem. */
function isFollowed(world: NamedWorld, field: string, value: unknown): boolean {
  const maps = world.objects.filter((one) => one.kind === "ConfigMap");
  const found = maps.find(({ metadata }) => metadata.name === "istio");
  const text = (found as { data?: { mesh?: string } } | undefined)?.data?.mesh;
  const settings = new Map(Object.entries(load(text ?? "{}") ?? {}));
  const outcomes = [settings, new Map(settings).set(field, value)].map((mesh) => {
    const config = {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name: "istio", namespace: "istio-system" },
      data: { mesh: JSON.stringify(Object.fromEntries(mesh)) },
    };
    return told({ ...world, objects: [config, ...world.objects.filter((one) => one !== found)] });
  });
  const [before, after] = outcomes;
  return (
    before?.resources !== after?.resources ||
    after?.problems.some(({ path }) => path.startsWith(`data.mesh.${field}`)) === true
  );
}

/** Said for people, not for proxies. */
const NAMES = ["egress[].port.name", "ingress[].port.name"];

test.each(KINDS)("every field of %s is honoured or told", (kind) => {
  const crd = loadCrds().find((one) => one.spec.names.kind === kind);
  const spec = crd?.spec.versions[0]?.schema.openAPIV3Schema.properties?.["spec"];
  const leaves = leavesOf(spec ?? {});
  expect(leaves.length).toBeGreaterThan(5);
  const silent = leaves
    .filter(({ path }) => !NAMES.includes(textOf(path)))
    .filter((leaf) => tryLeaf(kind, leaf, worlds).kind === "silent");
  expect(silent.map(({ path }) => textOf(path))).toEqual([]);
});
