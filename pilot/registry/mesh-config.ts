/** The mesh's settings from their YAML (`mesh` in the ConfigMap `istio`). */

import { load } from "js-yaml";
import { parseDuration } from "#pilot/model/duration.ts";
import type {
  ClusterLocalHost,
  MeshConfig,
  NamespaceSelector,
  TcpKeepalive,
} from "#pilot/model/mesh-config.ts";
import { hostname } from "#pilot/model/name.ts";
import type { ConnectionPoolSettings, OutlierDetection } from "#crds/types/networking-v1.ts";
import { type NotedSetting, observationSettings, unusedSettings } from "./mesh-observation.ts";
import { type Shape, checkShape } from "./shape.ts";
import { CLIENT_TLS, LOCALITY, OUTLIERS, POOL, ZONE_AWARE } from "./shapes.ts";
import { gatewaySettings } from "./mesh-edge.ts";

export interface MeshConfigResult {
  readonly mesh: MeshConfig;
  readonly problems: readonly NotedSetting[];
}

/** Settings over a base; a value that can't be understood leaves the base's and is reported. */
export function parseMeshConfig(text: string, base: MeshConfig): MeshConfigResult {
  let value: unknown;
  try {
    value = load(text);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return { mesh: base, problems: [{ path: "mesh", message }] };
  }
  const reader = new Map<string, unknown>(
    typeof value === "object" && value !== null ? Object.entries(value) : [],
  );
  const problems: NotedSetting[] = [];
  const used = new Set<string>();
  const take = <T>(
    path: string,
    raw: unknown,
    parse: (raw: unknown) => T | undefined,
  ): T | undefined => {
    if (raw === undefined || raw === null) return undefined;
    const parsed = parse(raw);
    if (parsed === undefined) problems.push({ path, message: `cannot use ${JSON.stringify(raw)}` });
    return parsed;
  };
  const field = <T>(name: string, parse: (raw: unknown) => T | undefined): T | undefined => {
    used.add(name);
    return take(name, reader.get(name), parse);
  };
  const inner = <T>(
    name: string,
    child: string,
    parse: (raw: unknown) => T | undefined,
  ): T | undefined => {
    used.add(name);
    return take(`${name}.${child}`, childOf(reader.get(name), child), parse);
  };

  const retries = field("defaultHttpRetryPolicy", parseRetries);
  const mesh: MeshConfig = {
    ...base,
    ...defined({
      rootNamespace: field("rootNamespace", asText),
      trustDomain: field("trustDomain", asText),
      accessLogFile: field("accessLogFile", asText),
      accessLogFormat: field("accessLogFormat", asText),
      accessLogEncoding: field("accessLogEncoding", oneOf("TEXT", "JSON")),
      outboundTrafficPolicy: field("outboundTrafficPolicy", parseOutboundPolicy),
      outboundTls: inner("outboundTrafficPolicy", "tls", (raw) => shaped(raw, CLIENT_TLS)),
      automaticTls: field("enableAutoMtls", asBoolean),
      inboundTrafficPolicy: inner(
        "inboundTrafficPolicy",
        "mode",
        oneOf("PASSTHROUGH", "LOCALHOST"),
      ),
      ...gatewaySettings(field),
      connectTimeoutMs: field("connectTimeout", asDuration),
      protocolDetectionTimeoutMs: field("protocolDetectionTimeout", asDuration),
      defaultServiceExportTo: field("defaultServiceExportTo", asTexts),
      defaultVirtualServiceExportTo: field("defaultVirtualServiceExportTo", asTexts),
      defaultDestinationRuleExportTo: field("defaultDestinationRuleExportTo", asTexts),
      ...destinationSettings(field),
      ...observationSettings(field, (problem) => problems.push(problem)),
      clusterLocalHosts: field("serviceSettings", parseServiceSettings),
      discoverySelectors: field(
        "discoverySelectors",
        (raw) => shapedList(raw, [SELECTOR]) as NamespaceSelector[] | undefined,
      ),
      defaultRetries: retries,
    }),
  };
  return { mesh, problems: [...problems, ...unusedSettings(reader.keys(), used)] };
}

type TakeField = <T>(name: string, parse: (raw: unknown) => T | undefined) => T | undefined;

interface DefaultPolicy {
  connectionPool?: ConnectionPoolSettings;
  outlierDetection?: OutlierDetection;
}

/** What holds for all destinations where their rules don't say otherwise. */
function destinationSettings(field: TakeField): Partial<MeshConfig> {
  const policy: DefaultPolicy | undefined = field("defaultTrafficPolicy", (raw) =>
    shaped(raw, { connectionPool: POOL, outlierDetection: OUTLIERS }),
  );
  const localityLb = field("localityLbSetting", (raw) => shaped(raw, LOCALITY));
  const zoneAwareLb = field("zoneAwareLbSetting", (raw) => shaped(raw, ZONE_AWARE));
  return defined({
    localityLb,
    zoneAwareLb,
    defaultConnectionPool: policy?.connectionPool,
    defaultOutlierDetection: policy?.outlierDetection,
    upgradeToHttp2: field("h2UpgradePolicy", parseUpgrade),
    tcpKeepalive: field("tcpKeepalive", parseKeepalive),
    dnsRefreshMs: field("dnsRefreshRate", asDuration),
    outboundStatName: field("outboundClusterStatName", asText),
    inboundStatName: field("inboundClusterStatName", asText),
  });
}

function shaped(raw: unknown, shape: Shape): object | undefined {
  if (typeof raw !== "object" || raw === null) return undefined;
  return checkShape(raw, shape, "").length === 0 ? raw : undefined;
}

const SELECTOR: Shape = {
  matchLabels: { "*": "text" },
  matchExpressions: [{ "key!": "text", "operator!": "text", values: ["text"] }],
};

function shapedList(raw: unknown, shape: Shape): unknown[] | undefined {
  return Array.isArray(raw) && checkShape(raw, shape, "").length === 0 ? raw : undefined;
}

interface ServiceSettings {
  settings?: { clusterLocal?: boolean };
  hosts?: string[];
}

function parseServiceSettings(raw: unknown): ClusterLocalHost[] | undefined {
  const shape: Shape = [{ settings: { clusterLocal: "boolean" }, hosts: ["text"] }];
  const list = shapedList(raw, shape) as ServiceSettings[] | undefined;
  return list?.flatMap(({ settings, hosts = [] }) =>
    hosts.map((host) => ({ host: hostname(host), local: settings?.clusterLocal === true })),
  );
}

function parseUpgrade(raw: unknown): boolean | undefined {
  const policy = oneOf("DO_NOT_UPGRADE", "UPGRADE")(raw);
  return policy === undefined ? undefined : policy === "UPGRADE";
}

function parseKeepalive(raw: unknown): TcpKeepalive | undefined {
  if (typeof raw !== "object" || raw === null) return undefined;
  const probes = childOf(raw, "probes");
  const seconds = (name: string): number | undefined => {
    const ms = asDuration(childOf(raw, name));
    return ms === undefined ? undefined : Math.floor(ms / 1000);
  };
  return defined({
    probes: typeof probes === "number" ? probes : undefined,
    timeSeconds: seconds("time"),
    intervalSeconds: seconds("interval"),
  });
}

function childOf(value: unknown, name: string): unknown {
  if (typeof value !== "object" || value === null || !Object.hasOwn(value, name)) return undefined;
  return new Map(Object.entries(value)).get(name);
}

/** An empty policy is the enum's zero, as Istio reads it. */
function parseOutboundPolicy(value: unknown): MeshConfig["outboundTrafficPolicy"] | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const mode = childOf(value, "mode");
  if (mode === undefined) return "REGISTRY_ONLY";
  return oneOf("ALLOW_ANY", "REGISTRY_ONLY", "ALLOW_ANY_DYNAMIC_DNS")(mode);
}

function parseRetries(value: unknown): MeshConfig["defaultRetries"] {
  const attempts = childOf(value, "attempts");
  const retryOn = asText(childOf(value, "retryOn"));
  const perTryTimeoutMs = asDuration(childOf(value, "perTryTimeout"));
  return {
    attempts: typeof attempts === "number" ? attempts : 2,
    ...defined({ retryOn, perTryTimeoutMs }),
  };
}

function defined<T extends object>(fields: T): Partial<T> {
  return Object.fromEntries(
    Object.entries(fields).filter(([, value]) => value !== undefined),
  ) as Partial<T>;
}

function asText(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}

function asTexts(value: unknown): string[] | undefined {
  return Array.isArray(value) && value.every((one) => typeof one === "string") ? value : undefined;
}

function asBoolean(value: unknown): boolean | undefined {
  return typeof value === "boolean" ? value : undefined;
}

function asDuration(value: unknown): number | undefined {
  return typeof value === "string" ? parseDuration(value) : undefined;
}

function oneOf<T extends string>(...values: readonly T[]): (raw: unknown) => T | undefined {
  return (raw) => values.find((value) => value === raw);
}
