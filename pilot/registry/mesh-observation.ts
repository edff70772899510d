/** Settings of the mesh about logs, traces and paths, and those that are for nobody here. */

import type { MeshConfig, PathNormalization, TracingDefaults } from "#pilot/model/mesh-config.ts";
import { parseDefaultProviders, parseProviders } from "./extension-providers.ts";
import { checkShape } from "./shape.ts";

export interface NotedSetting {
  readonly path: string;
  readonly message: string;
  /** Absent: the value cannot be used. */
  readonly severity?: "warning";
}

type TakeField = <T>(name: string, parse: (raw: unknown) => T | undefined) => T | undefined;

/** The part of the settings that this file reads; what is wrong inside lists goes to `note`. */
export function observationSettings(
  field: TakeField,
  note: (problem: NotedSetting) => void,
): { [F in keyof MeshConfig]?: MeshConfig[F] | undefined } {
  const providers = field("extensionProviders", parseProviders);
  for (const { path, message } of providers?.problems ?? []) {
    note({ path: `extensionProviders${path}`, message });
  }
  field("accessLogFormat", (raw) => {
    tellFormat(
      raw,
      field("accessLogEncoding", (encoding) => encoding),
      note,
    );
    return raw;
  });
  const enabled = field("enableTracing", asBoolean);
  const tracing = field("defaultConfig", parseTracing);
  const disabled = field("disableEnvoyListenerLog", asBoolean);
  return {
    extensionProviders: providers?.providers,
    defaultProviders: field("defaultProviders", parseDefaultProviders),
    tracing:
      enabled === undefined && tracing === undefined
        ? undefined
        : { enabled: enabled ?? true, samplingPercent: 1, ...tracing },
    listenerLog: disabled === undefined ? undefined : !disabled,
    pathNormalization: field("pathNormalization", parseNormalization),
  };
}

function parseNormalization(raw: unknown): PathNormalization | undefined {
  const given = Reflect.get(Object(raw), "normalization") as unknown;
  if (given === undefined || given === "DEFAULT") return "BASE";
  const known = ["NONE", "BASE", "MERGE_SLASHES", "DECODE_AND_MERGE_SLASHES"] as const;
  return known.find((one) => one === given);
}

/** A JSON format that is none is Istio's default one. */
function tellFormat(
  format: unknown,
  encoding: unknown,
  note: (problem: NotedSetting) => void,
): void {
  if (encoding !== "JSON" || typeof format !== "string" || format === "") return;
  try {
    const value: unknown = JSON.parse(format);
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return;
  } catch {
    // Told below, as any other text that is no object.
  }
  note({
    path: "accessLogFormat",
    message: "is no JSON object: Istio's default fields are logged",
  });
}

/** Of the defaults of proxies: the rest is read by the injector. */
function parseTracing(raw: unknown): Omit<TracingDefaults, "enabled"> | undefined {
  const shape = { tracing: { sampling: "number", maxPathTagLength: "count" } } as const;
  if (checkShape(raw, shape, "").length > 0) return undefined;
  const { tracing = {} } = raw as { tracing?: { sampling?: number; maxPathTagLength?: number } };
  const { sampling = 0, maxPathTagLength } = tracing;
  return {
    samplingPercent: sampling > 0 && sampling <= 100 ? sampling : 1,
    ...(maxPathTagLength === undefined ? {} : { maxTagLength: maxPathTagLength }),
  };
}

function asBoolean(value: unknown): boolean | undefined {
  return typeof value === "boolean" ? value : undefined;
}

/** Read by the mesh's other parts: injector, ingress, identity. */
const READ_ELSEWHERE: readonly string[] = [
  "defaultConfig",
  "enablePrometheusMerge",
  "ingressClass",
  "ingressControllerMode",
  "ingressService",
  "ingressSelector",
  "trustDomainAliases",
  "caCertificates",
];

/** Istio's, with what is true here instead. */
const UNUSED: ReadonlyMap<string, string> = new Map([
  ["proxyListenPort", "the port of redirected calls is 15001"],
  ["proxyInboundListenPort", "the port of redirected inbound connections is 15006"],
  ["enableEnvoyAccessLogService", "declare an extension provider and name it in a Telemetry"],
  ["proxyHttpPort", "proxies listen for redirected calls only"],
  ["hboneIdleTimeout", "there are no tunnels by HBONE"],
  ["configSources", "configuration is read from the cluster or a folder"],
  ["certificates", "certificates for webhooks are made by the control plane"],
  ["verifyCertificateAtClient", "names of certificates are checked where a rule gives them"],
  ["ca", "certificates are issued by the mesh's own authority"],
  ["serviceScopeConfigs", "there is no ambient mode"],
  ["serviceEntryVisibility", "use exportTo"],
]);

/** Settings that have no effect: known ones with a word of advice, others as unknown. */
export function unusedSettings(
  names: Iterable<string>,
  used: ReadonlySet<string>,
): readonly NotedSetting[] {
  return [...names]
    .filter((name) => !used.has(name) && !READ_ELSEWHERE.includes(name))
    .map((path) => {
      const advice = UNUSED.get(path);
      const message =
        advice === undefined ? "is not a setting of the mesh" : `has no effect: ${advice}`;
      return { path, severity: "warning", message };
    });
}
