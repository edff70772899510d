/** A pod's annotations → what its sidecar does; every wrong value is a problem with its path. */

import type { ResourceRequirements } from "#cluster/api/generated/core-v1.ts";
import {
  AnnotationReader,
  type CidrSet,
  HOST_PORT,
  type PortSet,
  type Readiness,
} from "./annotation-reader.ts";
import { type InjectorConfig, PORTS } from "./config.ts";
import type { Labels } from "./decide.ts";
import type { InjectionProblem } from "./problem.ts";

/** Which connections of the pod go through Envoy. */
export interface RedirectSettings {
  includeInboundPorts: PortSet;
  excludeInboundPorts: readonly number[];
  includeOutboundPorts: readonly number[];
  excludeOutboundPorts: readonly number[];
  includeOutboundCidrs: CidrSet;
  excludeOutboundCidrs: readonly string[];
}

export interface ProxySettings {
  image: string;
  logLevel: string;
  componentLogLevel: string;
  concurrency: number;
  drainSeconds: number;
  terminationSeconds: number;
  discoveryAddress: string;
  resources: ResourceRequirements;
  /** NONE leaves the pod's connections alone; the app calls Envoy itself. */
  interception: "REDIRECT" | "NONE";
  redirect: RedirectSettings;
  /** Readiness of Envoy on 15021; `status.sidecar.istio.io/port: "0"` turns it off. */
  readiness: Readiness | null;
  template: "sidecar" | "gateway";
  /** Whether Envoy is an init container that keeps running, or stands beside the app's. */
  native: boolean;
}

export type SettingsResult =
  { ok: true; settings: ProxySettings } | { ok: false; problems: InjectionProblem[] };

const LOG_LEVELS = ["trace", "debug", "info", "warning", "error", "critical", "off"];
const TRAFFIC = "traffic.sidecar.istio.io/";

/** Reads `sidecar.istio.io/*`, `traffic.sidecar.istio.io/*` and `proxy.istio.io/config`. */
export function readSettings(annotations: Labels, config: InjectorConfig): SettingsResult {
  const read = new AnnotationReader(annotations);
  const template = read.template();
  const proxy = read.proxyConfig();
  const gateway = template === "gateway";
  const settings: ProxySettings = {
    image: read.text("sidecar.istio.io/proxyImage") ?? config.proxyImage,
    logLevel: read.oneOf("sidecar.istio.io/logLevel", LOG_LEVELS) ?? config.logLevel,
    componentLogLevel:
      read.text("sidecar.istio.io/componentLogLevel", /^[a-z0-9_]+:[a-z]+(,[a-z0-9_]+:[a-z]+)*$/) ??
      config.componentLogLevel,
    concurrency:
      proxy.concurrency ?? (gateway ? config.concurrency.gateway : config.concurrency.sidecar),
    drainSeconds: proxy.drainSeconds ?? config.drainSeconds,
    terminationSeconds: proxy.terminationSeconds ?? config.gatewayTerminationSeconds,
    discoveryAddress:
      read.text("sidecar.istio.io/discoveryAddress", HOST_PORT) ??
      proxy.discoveryAddress ??
      config.discoveryAddress,
    resources: read.resources(config.resources),
    interception: gateway ? "NONE" : read.interception(),
    redirect: {
      includeInboundPorts: read.portSet(`${TRAFFIC}includeInboundPorts`),
      excludeInboundPorts: [
        PORTS.stats,
        PORTS.health,
        PORTS.agent,
        ...read.ports(`${TRAFFIC}excludeInboundPorts`),
      ],
      includeOutboundPorts: read.ports(`${TRAFFIC}includeOutboundPorts`),
      excludeOutboundPorts: read.ports(`${TRAFFIC}excludeOutboundPorts`),
      includeOutboundCidrs: read.cidrSet(`${TRAFFIC}includeOutboundIPRanges`),
      excludeOutboundCidrs: read.cidrs(`${TRAFFIC}excludeOutboundIPRanges`),
    },
    readiness: read.readiness(),
    template,
    native: !gateway && read.flag("sidecar.istio.io/nativeSidecar", true),
  };
  return read.problems.length === 0
    ? { ok: true, settings }
    : { ok: false, problems: read.problems };
}
