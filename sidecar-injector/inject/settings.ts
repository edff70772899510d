/** A pod's annotations → what its sidecar does; every wrong value is a problem with its path. */

import type { ResourceRequirements, Volume, VolumeMount } from "#cluster/api/generated/core-v1.ts";
import { AnnotationReader, type CidrSet, type PortSet } from "./annotation-reader.ts";
import { type InjectorConfig, PORTS, PROXY_UID } from "./config.ts";
import type { Labels } from "./pod-input.ts";
import type { InjectionProblem } from "./problem.ts";
import {
  HOST_PORT,
  type ProxyConfig,
  type RawProxyConfig,
  TAG_NAME,
  mergeProxyConfigs,
  parseProxyConfigYaml,
  readProxyConfig,
} from "./proxy-config.ts";

/** Which connections of the pod go through Envoy. */
export interface RedirectSettings {
  includeInboundPorts: PortSet;
  excludeInboundPorts: readonly number[];
  includeOutboundPorts: readonly number[];
  excludeOutboundPorts: readonly number[];
  includeOutboundCidrs: CidrSet;
  excludeOutboundCidrs: readonly string[];
  /** Network interfaces that are left alone. */
  excludeInterfaces: readonly string[];
  /** Interfaces (of virtual machines) whose incoming connections are the pod's outgoing ones. */
  virtualInterfaces: readonly string[];
  /** Envoy's user, whose connections pass. */
  proxyUid: number;
}

export interface ProxySettings {
  image: string;
  logLevel: string;
  componentLogLevel: string;
  /** 0: as many as the machine has. */
  concurrency: number;
  drainSeconds: number;
  terminationSeconds: number;
  discoveryAddress: string;
  /** Undefined: none are injected. */
  resources?: ResourceRequirements;
  /** NONE leaves the pod's connections alone; the app calls Envoy itself. */
  interception: "REDIRECT" | "NONE";
  redirect: RedirectSettings;
  /** Of Envoy on 15021; null where `status.sidecar.istio.io/port: "0"` turns it off. */
  readiness: InjectorConfig["readiness"] | null;
  /** Where probes and metrics come in; 0 is nowhere. */
  statusPort: number;
  adminPort: number;
  gateway: boolean;
  /** Whether Envoy is an init container that keeps running, or stands beside the app's. */
  native: boolean;
  holdApplication: boolean;
  rewriteProbes: boolean;
  prometheusMerge: boolean;
  /** ConfigMap whose `custom_bootstrap.json` is merged into the bootstrap. */
  bootstrapOverride?: string;
  bindLowPorts: boolean;
  volumes: Volume[];
  volumeMounts: VolumeMount[];
  proxy: ProxyConfig;
  /** The effective ProxyConfig, for the node's metadata. */
  rawProxyConfig: RawProxyConfig;
}

export type SettingsResult =
  | { ok: true; settings: ProxySettings; warnings: string[] }
  | { ok: false; problems: InjectionProblem[] };

export interface SettingsInput {
  annotations: Labels;
  config: InjectorConfig;
  gateway: boolean;
  proxyConfigs?: SelectedProxyConfigs;
}

/** ProxyConfig objects of a pod. Istio puts the pod's annotation between the two. */
export interface SelectedProxyConfigs {
  /** Of the mesh and of the namespace, in this order. */
  general: readonly RawProxyConfig[];
  /** Those whose selector matches the pod. */
  workload: readonly RawProxyConfig[];
}

const LOG_LEVELS = ["trace", "debug", "info", "warning", "error", "critical", "off"];
const TRAFFIC = "traffic.sidecar.istio.io/";
const CONFIG = "proxy.istio.io/config";
const INTERFACE = /^[\w.:@-]{1,15}$/;
const COMPONENTS = /^[a-z0-9_]+:[a-z]+(,[a-z0-9_]+:[a-z]+)*$/;

/** Annotations that say something to an agent, which isn't there. */
const WITHOUT_EFFECT = new Map([
  ["sidecar.istio.io/agentLogLevel", "there is no agent in the pod"],
  [
    "sidecar.istio.io/proxyImageType",
    "there is one image; sidecar.istio.io/proxyImage names another",
  ],
  ["sidecar.istio.io/enableCoreDump", "core dumps are the node's business"],
  ["sidecar.istio.io/statsCompression", "metrics are sent as they are"],
  ["sidecar.istio.io/statsHistogramBuckets", "histograms have Envoy's buckets"],
]);

/** Reads `sidecar.istio.io/*`, `traffic.sidecar.istio.io/*`, `proxy.istio.io/config` and kin. */
export function readSettings(input: SettingsInput): SettingsResult {
  const { config, gateway } = input;
  const read = new AnnotationReader(input.annotations);
  const { raw, proxy } = effectiveProxyConfig(read, input);
  const concurrency = gateway ? config.concurrency.gateway : config.concurrency.sidecar;
  const statusPort = read.count(
    "status.sidecar.istio.io/port",
    proxy.statusPort ?? config.statusPort,
  );
  if (([PORTS.health, PORTS.stats] as number[]).includes(statusPort) || statusPort > 65_535) {
    read.refuse("status.sidecar.istio.io/port", `${statusPort} is taken or no port`);
  }
  const settings: ProxySettings = {
    image: imageOf(read, config),
    logLevel: read.oneOf("sidecar.istio.io/logLevel", LOG_LEVELS) ?? config.logLevel,
    componentLogLevel:
      read.text("sidecar.istio.io/componentLogLevel", COMPONENTS) ?? config.componentLogLevel,
    concurrency: proxy.concurrency ?? concurrency,
    drainSeconds: proxy.drainSeconds ?? config.drainSeconds,
    terminationSeconds: proxy.terminationSeconds ?? config.terminationSeconds,
    discoveryAddress:
      read.text("sidecar.istio.io/discoveryAddress", HOST_PORT) ??
      proxy.discoveryAddress ??
      config.discoveryAddress,
    resources: read.resources() ?? (gateway ? undefined : config.resources),
    interception: gateway ? "NONE" : interceptionOf(read, proxy),
    redirect: readRedirect(read, config, statusPort),
    readiness: statusPort === 0 ? null : readReadiness(read, config),
    statusPort,
    adminPort: proxy.adminPort ?? PORTS.admin,
    gateway,
    native: !gateway && read.flag("sidecar.istio.io/nativeSidecar", config.nativeSidecar),
    holdApplication: proxy.holdApplication ?? config.holdApplication,
    rewriteProbes:
      read.flag("sidecar.istio.io/rewriteAppHTTPProbers", config.rewriteProbes) && statusPort !== 0,
    prometheusMerge: read.flag("prometheus.istio.io/merge-metrics", config.prometheusMerge),
    bootstrapOverride: read.text(
      "sidecar.istio.io/bootstrapOverride",
      /^[a-z0-9][-.a-z0-9]{0,252}$/,
    ),
    bindLowPorts: read.flag("sidecar.istio.io/capNetBindService", false),
    volumes: read
      .jsonObjects("sidecar.istio.io/userVolume")
      .map(([name, source]): Volume => ({ ...source, name })),
    volumeMounts: read
      .jsonObjects("sidecar.istio.io/userVolumeMount")
      .map(([name, mount]) => ({ ...mount, name }) as VolumeMount),
    proxy,
    rawProxyConfig: raw,
  };
  for (const [name, why] of WITHOUT_EFFECT) {
    if (read.raw(name) !== undefined)
      read.warnings.push(`annotation ${name} has no effect: ${why}`);
  }
  const { problems, warnings } = read;
  return problems.length === 0 ? { ok: true, settings, warnings } : { ok: false, problems };
}

/** The mesh's, the namespace's, the annotation, then objects that select the pod. */
function effectiveProxyConfig(
  read: AnnotationReader,
  { config, proxyConfigs }: SettingsInput,
): { raw: RawProxyConfig; proxy: ProxyConfig } {
  const complain = (field: string, message: string): void =>
    read.refuse(CONFIG, field === "" ? message : `${field} ${message}`);
  const own = parseProxyConfigYaml(read.raw(CONFIG) ?? "", complain);
  const raw = mergeProxyConfigs([
    config.proxyConfig,
    ...(proxyConfigs?.general ?? []),
    own,
    ...(proxyConfigs?.workload ?? []),
  ]);
  const proxy = readProxyConfig(raw, complain, (field, message) => {
    if (Object.hasOwn(own, field)) read.warnings.push(`annotation ${CONFIG}: ${field} ${message}`);
  });
  const tags = read.list("sidecar.istio.io/extraStatTags", "", TAG_NAME);
  return { raw, proxy: { ...proxy, extraStatTags: [...proxy.extraStatTags, ...tags] } };
}

/** TPROXY would need a source address that the pod's network keeps; it is refused, not ignored. */
function interceptionOf(read: AnnotationReader, proxy: ProxyConfig): "REDIRECT" | "NONE" {
  const name = "sidecar.istio.io/interceptionMode";
  const mode = read.raw(name) ?? proxy.interceptionMode ?? "REDIRECT";
  if (mode === "NONE" || mode === "REDIRECT") return mode;
  read.refuse(
    read.raw(name) === undefined ? CONFIG : name,
    `interception mode ${JSON.stringify(mode.slice(0, 32))} is not supported, only REDIRECT and NONE`,
  );
  return "REDIRECT";
}

function readRedirect(
  read: AnnotationReader,
  { traffic }: InjectorConfig,
  statusPort: number,
): RedirectSettings {
  const name = (end: keyof typeof traffic): [string, string] => [TRAFFIC + end, traffic[end]];
  return {
    includeInboundPorts: read.portSet(...name("includeInboundPorts")),
    excludeInboundPorts: [
      PORTS.stats,
      PORTS.health,
      ...(statusPort === 0 ? [] : [statusPort]),
      ...read.ports(...name("excludeInboundPorts")),
    ],
    includeOutboundPorts: read.ports(...name("includeOutboundPorts")),
    excludeOutboundPorts: read.ports(...name("excludeOutboundPorts")),
    includeOutboundCidrs: read.cidrSet(...name("includeOutboundIPRanges")),
    excludeOutboundCidrs: read.cidrs(...name("excludeOutboundIPRanges")),
    excludeInterfaces: read.list(...name("excludeInterfaces"), INTERFACE),
    virtualInterfaces: [
      ...read.list("istio.io/reroute-virtual-interfaces", "", INTERFACE),
      ...read.list(`${TRAFFIC}kubevirtInterfaces`, "", INTERFACE),
    ],
    proxyUid: PROXY_UID,
  };
}

function readReadiness(
  read: AnnotationReader,
  { readiness }: InjectorConfig,
): InjectorConfig["readiness"] {
  const prefix = "readiness.status.sidecar.istio.io/";
  return {
    initialDelaySeconds: read.count(`${prefix}initialDelaySeconds`, readiness.initialDelaySeconds),
    periodSeconds: read.count(`${prefix}periodSeconds`, readiness.periodSeconds),
    failureThreshold: read.count(`${prefix}failureThreshold`, readiness.failureThreshold),
  };
}

/** A name without a slash stands for the same registry and tag (Istio). */
function imageOf(read: AnnotationReader, config: InjectorConfig): string {
  const named = read.text("sidecar.istio.io/proxyImage");
  if (named === undefined) return config.proxyImage;
  if (named.includes("/")) return named;
  return config.proxyImage.replace(/[^/:@]+(?=([:@][^/]*)?$)/, named);
}
