/** The mesh's settings from their YAML (`mesh` in the ConfigMap `istio`). */

import { load } from "js-yaml";
import { parseDuration } from "#pilot/model/duration.ts";
import type { MeshConfig } from "#pilot/model/mesh-config.ts";

export interface SettingProblem {
  readonly path: string;
  readonly message: string;
}

export interface MeshConfigResult {
  readonly mesh: MeshConfig;
  readonly problems: readonly SettingProblem[];
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
  const problems: SettingProblem[] = [];
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
  const field = <T>(name: string, parse: (raw: unknown) => T | undefined): T | undefined =>
    take(name, reader.get(name), parse);
  const inner = <T>(
    name: string,
    child: string,
    parse: (raw: unknown) => T | undefined,
  ): T | undefined => take(`${name}.${child}`, childOf(reader.get(name), child), parse);

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
      inboundTrafficPolicy: inner(
        "inboundTrafficPolicy",
        "mode",
        oneOf("PASSTHROUGH", "LOCALHOST"),
      ),
      connectTimeoutMs: field("connectTimeout", asDuration),
      protocolDetectionTimeoutMs: field("protocolDetectionTimeout", asDuration),
      defaultServiceExportTo: field("defaultServiceExportTo", asTexts),
      defaultVirtualServiceExportTo: field("defaultVirtualServiceExportTo", asTexts),
      defaultDestinationRuleExportTo: field("defaultDestinationRuleExportTo", asTexts),
      localityFailover: inner("localityLbSetting", "enabled", asBoolean),
      defaultRetries: retries,
    }),
  };
  return { mesh, problems };
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
  return oneOf("ALLOW_ANY", "REGISTRY_ONLY")(mode);
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
