/** Access logs: of Telemetry objects, else of the mesh's settings (Istio, "Telemetry", "Envoy Access Logs"). */

import { parse } from "@marcbachmann/cel-js";
import type { AccessLogging } from "#crds/types/networking-v1.ts";
import { outboundCluster } from "#pilot/ir/name.ts";
import type { AccessLog, Collector, FileLog, LogFormat } from "#pilot/ir/observation.ts";
import type { IrProblem } from "#pilot/ir/scope-ir.ts";
import {
  type CollectorAddress,
  ENVOY_PROVIDER,
  type FileLogProvider,
  type LogProvider,
  isLogProvider,
  providerNamed,
} from "#pilot/model/extension-provider.ts";
import type { MeshConfig } from "#pilot/model/mesh-config.ts";
import { type Telemetry, compareText } from "#pilot/model/object.ts";
import { addressOfCollector } from "#pilot/model/telemetries.ts";
import { DEFAULT_FIELDS, DEFAULT_TEXT } from "./log-format.ts";
import { type Translated, error, reporter } from "./result.ts";
import type { Viewpoint } from "./viewpoint.ts";

interface Rule {
  readonly telemetry: Telemetry;
  readonly path: string;
  readonly spec: AccessLogging;
}

/** Empty where nothing is logged. */
export function accessLogsOf(
  mesh: MeshConfig,
  telemetries: readonly Telemetry[],
  viewpoint: Viewpoint,
): Translated<readonly AccessLog[]> {
  const levels = telemetries
    .map((telemetry) =>
      (telemetry.spec.accessLogging ?? []).map((spec, at): Rule => ({
        telemetry,
        path: `spec.accessLogging[${at}]`,
        spec,
      })),
    )
    .filter((rules) => rules.length > 0);
  const chosen = chooseProviders(mesh.defaultProviders.accessLogging, levels, viewpoint);
  if (chosen === undefined) return { value: logOfSettings(mesh), problems: [] };
  const problems: IrProblem[] = [];
  const value = [...chosen]
    .toSorted(([left], [right]) => compareText(left, right))
    .flatMap(([name, rule]) => {
      const made = logOfProvider(mesh, name, rule, viewpoint);
      problems.push(...made.problems);
      return made.value;
    });
  return { value, problems };
}

/**
 * Provider → the rule that has the last word on it; undefined where only the mesh's own file counts.
 * A level that names providers replaces those of wider levels; a rule without any is about those of
 * the rules before it.
 */
function chooseProviders(
  defaults: readonly string[],
  levels: readonly (readonly Rule[])[],
  { side }: Viewpoint,
): ReadonlyMap<string, Rule | undefined> | undefined {
  if (levels.length === 0) {
    return defaults.length === 0 ? undefined : new Map(defaults.map((name) => [name, undefined]));
  }
  const matches = ({ spec }: Rule): boolean =>
    (spec.match?.mode ?? "CLIENT_AND_SERVER") === "CLIENT_AND_SERVER" ||
    spec.match?.mode === side.toUpperCase();
  let inScope: readonly string[] = defaults;
  for (const rules of levels) {
    const named = new Set(rules.filter(matches).flatMap(namesOf));
    if (named.size > 0) inScope = [...named];
  }
  const chosen = new Map<string, Rule | undefined>();
  let parents: readonly string[] = defaults;
  let silenced = false;
  for (const rule of levels.flat()) {
    const own = namesOf(rule);
    parents = own.length === 0 ? parents : own;
    if (!matches(rule)) continue;
    if (parents.length === 0) silenced = rule.spec.disabled === true;
    for (const name of parents) {
      if (!inScope.includes(name)) continue;
      if (rule.spec.disabled === true) chosen.delete(name);
      else chosen.set(name, own.length > 0 ? rule : (chosen.get(name) ?? rule));
    }
  }
  const isNamed = parents.length > 0 && inScope.length > 0;
  return chosen.size === 0 && !silenced && !isNamed ? undefined : chosen;
}

function namesOf({ spec }: Rule): string[] {
  return (spec.providers ?? []).map(({ name }) => name);
}

function logOfProvider(
  mesh: MeshConfig,
  name: string,
  rule: Rule | undefined,
  viewpoint: Viewpoint,
): Translated<readonly AccessLog[]> {
  const report = reporter(rule?.telemetry.key ?? settingsOf(mesh));
  const path = rule === undefined ? "data.mesh.defaultProviders" : `${rule.path}.providers`;
  const provider = providerNamed(mesh.extensionProviders, name);
  if (provider === undefined || !isLogProvider(provider)) {
    const what = provider === undefined ? "is not declared in the mesh" : "takes no access logs";
    error(report, path, "UnknownProvider", `provider ${name} ${what}`);
    return { value: [], problems: report.problems };
  }
  if ("service" in provider && !viewpoint.collectors.includes(provider.name)) {
    const message = `${provider.service}:${provider.port} of provider ${name} cannot be called`;
    error(report, path, "UnknownService", message);
    return { value: [], problems: report.problems };
  }
  const expression = rule?.spec.filter?.expression ?? "";
  const wrong = expression === "" ? undefined : mistakeIn(expression);
  if (wrong !== undefined) {
    const message = `is no CEL expression, so everything is logged: ${wrong}`;
    error(report, `${rule?.path ?? ""}.filter.expression`, "InvalidExpression", message);
  }
  const filter = expression === "" || wrong !== undefined ? {} : { filter: expression };
  return { value: [{ ...logOf(mesh, provider), ...filter }], problems: report.problems };
}

/** A proxy refuses what it cannot parse; names that it doesn't know are false to it. */
function mistakeIn(expression: string): string | undefined {
  try {
    parse(expression);
    return undefined;
  } catch (cause) {
    return (cause instanceof Error ? cause.message : String(cause)).split("\n")[0];
  }
}

function logOf(mesh: MeshConfig, provider: LogProvider): AccessLog {
  switch (provider.kind) {
    case "file-log":
      return fileLog(mesh, provider);
    case "http-grpc-log":
    case "tcp-grpc-log":
      return {
        kind: "stream",
        of: provider.kind === "http-grpc-log" ? "requests" : "connections",
        name: provider.logName,
        collector: collectorOf(provider),
        states: provider.filterStateObjects,
        requestHeaders: provider.requestHeaders,
        responseHeaders: provider.responseHeaders,
        responseTrailers: provider.responseTrailers,
      };
    case "opentelemetry-log":
      return {
        kind: "opentelemetry",
        name: provider.logName,
        collector: collectorOf(provider),
        text: provider.text ?? DEFAULT_TEXT,
        labels: provider.labels ?? {},
      };
  }
}

export function collectorOf(address: CollectorAddress): Collector {
  const { host } = addressOfCollector(address);
  return { cluster: outboundCluster(host, address.port), host };
}

/** The built-in provider writes as the settings say. */
function fileLog(mesh: MeshConfig, provider: FileLogProvider): FileLog {
  const { format, omitEmptyValues, path, name } = provider;
  const own = name === ENVOY_PROVIDER && format === undefined && !omitEmptyValues;
  return {
    kind: "file",
    path,
    format: own ? formatOfSettings(mesh) : formatOf(format),
    omitsEmpty: omitEmptyValues,
  };
}

function formatOf(format: FileLogProvider["format"]): LogFormat {
  if (format === undefined) return { kind: "text", text: DEFAULT_TEXT };
  if (format.kind === "text") return { kind: "text", text: withNewline(format.text) };
  const fields = Object.keys(format.labels).length === 0 ? DEFAULT_FIELDS : format.labels;
  return { kind: "fields", fields };
}

function logOfSettings(mesh: MeshConfig): readonly AccessLog[] {
  if (mesh.accessLogFile === "") return [];
  const format = formatOfSettings(mesh);
  return [{ kind: "file", path: mesh.accessLogFile, format, omitsEmpty: false }];
}

/** A JSON format that is none is the default, as in Istio; the settings' parser tells of it. */
function formatOfSettings({ accessLogEncoding, accessLogFormat }: MeshConfig): LogFormat {
  if (accessLogEncoding === "TEXT") {
    const text = accessLogFormat === "" ? DEFAULT_TEXT : withNewline(accessLogFormat);
    return { kind: "text", text };
  }
  return { kind: "fields", fields: parseFields(accessLogFormat) ?? DEFAULT_FIELDS };
}

function parseFields(format: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(format);
    const isFields = typeof value === "object" && value !== null && !Array.isArray(value);
    return isFields ? Object.fromEntries(Object.entries(value)) : undefined;
  } catch {
    return undefined;
  }
}

function withNewline(format: string): string {
  return format.endsWith("\n") ? format : `${format}\n`;
}

export function settingsOf(mesh: MeshConfig): Telemetry["key"] {
  return `ConfigMap/${mesh.rootNamespace}/istio` as Telemetry["key"];
}
