/** Istio's ProxyConfig as far as a proxy's start depends on it; the rest reaches pilot as metadata. */

import { loadAll } from "js-yaml";

/** Field → value, by Istio's names; what a YAML document or the mesh's `defaultConfig` holds. */
export type RawProxyConfig = Readonly<Record<string, unknown>>;

export interface ProxyConfig {
  concurrency?: number;
  drainSeconds?: number;
  terminationSeconds?: number;
  discoveryAddress?: string;
  /** Not Istio's: the proxy asks for clusters when it first calls them. */
  discovery?: "all" | "on-demand";
  holdApplication?: boolean;
  /** Environment of the proxy; `ISTIO_META_X` is the node's metadata X as well. */
  proxyMetadata: Readonly<Record<string, string>>;
  statusPort?: number;
  adminPort?: number;
  interceptionMode?: string;
  extraStatTags: readonly string[];
  runtimeValues: Readonly<Record<string, string>>;
  fileFlushMs?: number;
  fileFlushMinKb?: number;
}

/** Gets a field's name and what is wrong with its value. */
export type Complain = (field: string, message: string) => void;

export const HOST_PORT = /^[a-zA-Z0-9.-]{1,253}:[0-9]{1,5}$/;

/** What pilot reads, or what holds without being asked for. */
const PASSED_ON = [
  "configPath",
  "serviceCluster",
  "tracingServiceName",
  "discoveryRefreshDelay",
  "zipkinAddress",
  "envoyMetricsServiceAddress",
  "availabilityZone",
  "controlPlaneAuthPolicy",
  "statNameLength",
  "tracing",
  "sds",
  "envoyAccessLogService",
  "envoyMetricsService",
  "gatewayTopology",
  "meshId",
  "proxyStatsMatcher",
  "proxyHeaders",
  "connectionSettings",
  "parentShutdownDuration",
];

/** What an agent in the pod would do. */
const WITHOUT_AGENT = new Map([
  ["binaryPath", "the image's entry point is Envoy"],
  ["customConfigFile", "sidecar.istio.io/bootstrapOverride merges into the bootstrap"],
  ["proxyBootstrapTemplatePath", "sidecar.istio.io/bootstrapOverride merges into the bootstrap"],
  ["statsdUdpAddress", "metrics are served on /stats/prometheus"],
  ["readinessProbe", "pods have probes of their own"],
  ["caCertificatesPem", "the mesh's own authority is trusted"],
  ["privateKeyProvider", "keys are kept in memory"],
  ["statsCompression", "metrics are sent as they are"],
  ["image", "there is one image; sidecar.istio.io/proxyImage names another"],
]);

/** Later ones win field by field; `proxyMetadata` is merged (Istio's order: mesh, CR, annotation). */
export function mergeProxyConfigs(configs: readonly RawProxyConfig[]): RawProxyConfig {
  return configs.reduce<RawProxyConfig>((below, above) => {
    const metadata = [below.proxyMetadata, above.proxyMetadata].filter(isRecord);
    return {
      ...below,
      ...above,
      ...(metadata.length > 0 && { proxyMetadata: Object.assign({}, ...metadata) as object }),
    };
  }, {});
}

/** A YAML mapping; anything else is a complaint about the field `""`. */
export function parseProxyConfigYaml(text: string, complain: Complain): RawProxyConfig {
  try {
    // Of an empty text, there is no document.
    const value = loadAll(text)[0];
    if (value === undefined || value === null) return {};
    if (isRecord(value)) return value;
    complain("", "must be a YAML mapping");
  } catch (error) {
    complain("", `is not YAML: ${error instanceof Error ? error.message : String(error)}`);
  }
  return {};
}

/** `complain` is for values that can't be followed, `warn` for fields that change nothing here. */
export function readProxyConfig(
  raw: RawProxyConfig,
  complain: Complain,
  warn: Complain,
): ProxyConfig {
  const known = new Map(Object.entries(raw));
  const take = <T>(field: string, parse: (value: unknown) => T | undefined, expected: string) => {
    const value = known.get(field);
    known.delete(field);
    if (value === undefined || value === null) return undefined;
    const parsed = parse(value);
    if (parsed === undefined) complain(field, `must be ${expected}`);
    return parsed;
  };
  const seconds = (field: string): number | undefined => {
    const ms = take(field, asMilliseconds, "a duration, for example 45s");
    return ms === undefined ? undefined : Math.ceil(ms / 1000);
  };
  const config: ProxyConfig = {
    concurrency: take("concurrency", wholeNumber(0, 128), "a whole number from 0 to 128"),
    drainSeconds: seconds("drainDuration"),
    terminationSeconds: seconds("terminationDrainDuration"),
    discoveryAddress: take("discoveryAddress", asHostPort, "host:port"),
    discovery: take("discovery", asDiscovery, "all or on-demand"),
    holdApplication: take("holdApplicationUntilProxyStarts", asBoolean, "true or false"),
    proxyMetadata: take("proxyMetadata", asTexts, "a mapping of variables to texts") ?? {},
    statusPort: take("statusPort", wholeNumber(0, 65_535), "a port"),
    adminPort: take("proxyAdminPort", wholeNumber(1, 65_535), "a port"),
    interceptionMode: take("interceptionMode", asText, "REDIRECT or NONE"),
    extraStatTags: take("extraStatTags", asTagNames, "a list of names of letters and _") ?? [],
    runtimeValues: take("runtimeValues", asTexts, "a mapping of texts") ?? {},
    fileFlushMs: take("fileFlushInterval", asMilliseconds, "a duration, for example 1s"),
    fileFlushMinKb: take("fileFlushMinSizeKb", wholeNumber(0, 1 << 20), "a number of kilobytes"),
  };
  for (const field of known.keys()) {
    const instead = WITHOUT_AGENT.get(field);
    if (instead !== undefined) warn(field, `has no effect: ${instead}`);
    else if (!PASSED_ON.includes(field)) complain(field, "is no field of ProxyConfig");
  }
  return config;
}

function wholeNumber(least: number, most: number): (value: unknown) => number | undefined {
  return (value) =>
    Number.isInteger(value) && Number(value) >= least && Number(value) <= most
      ? Number(value)
      : undefined;
}

/** A protobuf duration in its JSON form, and Go's minutes and milliseconds. */
function asMilliseconds(value: unknown): number | undefined {
  const match =
    typeof value === "string" ? /^(\d{1,6}(?:\.\d{1,9})?)(ms|s|m|h)$/.exec(value) : null;
  if (match === null) return undefined;
  const unit = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }[match[2] as "ms" | "s" | "m" | "h"];
  return Math.round(Number(match[1]) * unit);
}

function asHostPort(value: unknown): string | undefined {
  return typeof value === "string" && HOST_PORT.test(value) ? value : undefined;
}

function asDiscovery(value: unknown): ProxyConfig["discovery"] {
  return value === "all" || value === "on-demand" ? value : undefined;
}

function asBoolean(value: unknown): boolean | undefined {
  return typeof value === "boolean" ? value : undefined;
}

function asText(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}

/** Scalars are taken as their text, as Istio's YAML reader does. */
function asTexts(value: unknown): Record<string, string> | undefined {
  if (!isRecord(value)) return undefined;
  const entries = Object.entries(value);
  const plain = entries.every(
    ([name, one]) =>
      /^[A-Za-z_][\w.-]{0,252}$/.test(name) && ["string", "number", "boolean"].includes(typeof one),
  );
  return plain ? Object.fromEntries(entries.map(([name, one]) => [name, String(one)])) : undefined;
}

function asTagNames(value: unknown): string[] | undefined {
  if (!Array.isArray(value)) return undefined;
  const names = value.filter((one) => typeof one === "string" && TAG_NAME.test(one));
  return names.length === value.length ? names : undefined;
}

export const TAG_NAME = /^[A-Za-z_]\w{0,62}$/;

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
