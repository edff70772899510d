/**
 * The administrator's settings: the ConfigMap `istio-sidecar-injector` (`config` and `values`, by
 * Istio's names) and the mesh's configuration → InjectorConfig. What can't be followed is a problem
 * and leaves the default; everything else holds.
 */

import { loadAll } from "js-yaml";
import type { SeccompProfile } from "#cluster/api/generated/core-v1.ts";
import type { LabelSelector } from "#cluster/api/meta.ts";
import type { InjectorConfig, TrafficDefaults } from "./config.ts";
import type { InjectionProblem } from "./problem.ts";
import { type PodTemplate, parseTemplate } from "./template.ts";

export interface InjectorTexts {
  /** YAML: policy, templates, defaultTemplates, aliases, selectors, injectedAnnotations. */
  config?: string;
  /** JSON or YAML: Istio's Helm values (`global.proxy` and others). */
  values?: string;
  /** YAML of MeshConfig. */
  mesh?: string;
}

export interface InjectorConfigResult {
  config: InjectorConfig;
  problems: InjectionProblem[];
}

const BUILT_IN = new Set(["sidecar", "gateway"]);
const PULL_POLICIES = ["Always", "IfNotPresent", "Never"] as const;

/** `base` holds what the texts don't say. */
export function injectorConfig(texts: InjectorTexts, base: InjectorConfig): InjectorConfigResult {
  const problems: InjectionProblem[] = [];
  const read = (name: keyof InjectorTexts): Fields => new Fields(name, texts[name], problems);
  const config: InjectorConfig = {
    ...base,
    ...fromMesh(read("mesh")),
    ...fromValues(read("values"), base),
    ...fromConfig(read("config")),
  };
  return { config, problems };
}

function fromMesh(mesh: Fields): Partial<InjectorConfig> {
  const mode = mesh.one("inboundTrafficPolicy.mode", ["PASSTHROUGH", "LOCALHOST"] as const);
  return defined({
    proxyConfig: mesh.record("defaultConfig"),
    prometheusMerge: mesh.flag("enablePrometheusMerge"),
    meshId: mesh.text("trustDomain"),
    probeDestination: mode === "LOCALHOST" ? ("localhost" as const) : undefined,
  });
}

function fromConfig(config: Fields): Partial<InjectorConfig> {
  const templates = new Map<string, PodTemplate>();
  for (const [name, text] of Object.entries(config.texts("templates") ?? {})) {
    if (BUILT_IN.has(name)) {
      config.refuse(`templates.${name}`, "is built in; give your template another name");
      continue;
    }
    const parsed = parseTemplate(text);
    if (parsed.ok) templates.set(name, parsed.template);
    else
      parsed.problems.forEach((one) => config.refuse(`templates.${name} ${one.path}`, one.message));
  }
  return defined({
    policy: config.one("policy", ["enabled", "disabled"] as const),
    defaultTemplates: config.list("defaultTemplates", isText),
    templates: templates.size === 0 ? undefined : Object.fromEntries(templates),
    aliases: config.record("aliases", isTexts) as Record<string, string[]> | undefined,
    neverInject: config.list("neverInjectSelector", isSelector),
    alwaysInject: config.list("alwaysInjectSelector", isSelector),
    injectedAnnotations: config.texts("injectedAnnotations"),
  });
}

function fromValues(values: Fields, base: InjectorConfig): Partial<InjectorConfig> {
  const proxy = (field: string): string => `global.proxy.${field}`;
  const startup = values.flag(proxy("startupProbe.enabled"));
  const startupThreshold =
    values.number(proxy("startupProbe.failureThreshold")) ?? base.startupFailureThreshold;
  const natives = values.text("pilot.env.ENABLE_NATIVE_SIDECARS");
  return defined({
    revision: values.text("revision") || undefined,
    proxyImage: imageOf(values),
    imagePullPolicy: values.one("global.imagePullPolicy", PULL_POLICIES),
    imagePullSecrets: values.list("global.imagePullSecrets", isText),
    clusterDomain: values.text(proxy("clusterDomain")),
    clusterId: values.text("global.multiCluster.clusterName") || undefined,
    network: values.text("global.network"),
    meshId: values.text("global.meshID") || undefined,
    logLevel: values.text(proxy("logLevel")),
    componentLogLevel: values.text(proxy("componentLogLevel")),
    logAsJson: values.flag("global.logAsJson"),
    resources: values.record(proxy("resources")),
    privileged: values.flag(proxy("privileged")),
    statusPort: values.number(proxy("statusPort")),
    readiness: {
      ...base.readiness,
      ...defined({
        initialDelaySeconds: values.number(proxy("readinessInitialDelaySeconds")),
        periodSeconds: values.number(proxy("readinessPeriodSeconds")),
        failureThreshold: values.number(proxy("readinessFailureThreshold")),
      }),
    },
    startupFailureThreshold: startup === false ? null : startupThreshold,
    lifecycle: values.record(proxy("lifecycle")),
    seccompProfile: values.record(proxy("seccompProfile")) as unknown as SeccompProfile | undefined,
    holdApplication: values.flag(proxy("holdApplicationUntilProxyStarts")),
    rewriteProbes: values.flag("sidecarInjectorWebhook.rewriteAppHTTPProbe"),
    nativeSidecar: natives === undefined ? undefined : natives === "true",
    dnsSearches: values.list("global.podDNSSearchNamespaces", isText),
    traffic: traffic(values, base.traffic),
  });
}

function traffic(values: Fields, base: TrafficDefaults): TrafficDefaults {
  const proxy = (field: string): string | undefined => values.text(`global.proxy.${field}`);
  return {
    ...base,
    ...defined({
      includeInboundPorts: proxy("includeInboundPorts"),
      excludeInboundPorts: proxy("excludeInboundPorts"),
      includeOutboundPorts: proxy("includeOutboundPorts"),
      excludeOutboundPorts: proxy("excludeOutboundPorts"),
      includeOutboundIPRanges: proxy("includeIPRanges"),
      excludeOutboundIPRanges: proxy("excludeIPRanges"),
    }),
  };
}

/** As Istio composes it: registry, name, tag. */
function imageOf(values: Fields): string | undefined {
  const name = values.text("global.proxy.image");
  if (name?.includes("/") === true) return name;
  const hub = values.text("global.hub");
  if (hub === undefined || hub === "") return undefined;
  return `${hub}/${name ?? "proxyv2"}:${values.text("global.tag") ?? "latest"}`;
}

/** Reads values by their dotted path; what has another type is a problem. */
class Fields {
  readonly #document: string;
  readonly #problems: InjectionProblem[];
  #root: unknown = {};

  constructor(document: string, text: string | undefined, problems: InjectionProblem[]) {
    this.#document = document;
    this.#problems = problems;
    try {
      this.#root = loadAll(text ?? "")[0] ?? {};
    } catch (error) {
      this.refuse("", `is not YAML: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  refuse(path: string, message: string): void {
    this.#problems.push({
      path: path === "" ? this.#document : `${this.#document}.${path}`,
      message,
    });
  }

  /** Numbers are texts too: a tag may be `1.30`. */
  text(path: string): string | undefined {
    const value = this.#at(path);
    return typeof value === "number" || typeof value === "boolean"
      ? String(value)
      : this.#typed(path, isText, "a text");
  }

  flag(path: string): boolean | undefined {
    return this.#typed(path, (value) => typeof value === "boolean", "true or false");
  }

  number(path: string): number | undefined {
    const whole = (value: unknown): value is number =>
      Number.isInteger(value) && Number(value) >= 0;
    return this.#typed(path, whole, "a whole number");
  }

  one<T extends string>(path: string, allowed: readonly T[]): T | undefined {
    const value = this.#typed(path, isText, "a text");
    if (value === undefined || value === "") return undefined;
    const found = allowed.find((one) => one === value);
    if (found === undefined) this.refuse(path, `must be one of ${allowed.join(", ")}`);
    return found;
  }

  list<T>(path: string, is: (item: unknown) => item is T): T[] | undefined {
    const all = (value: unknown): value is T[] => Array.isArray(value) && value.every(is);
    return this.#typed(path, all, "a list of its kind");
  }

  texts(path: string): Record<string, string> | undefined {
    return this.record(path, isText) as Record<string, string> | undefined;
  }

  record(path: string, is?: (item: unknown) => boolean): Record<string, unknown> | undefined {
    const fits = (value: unknown): value is Record<string, unknown> =>
      isRecord(value) && (is === undefined || Object.values(value).every(is));
    return this.#typed(path, fits, "a mapping of its kind");
  }

  #typed<T>(path: string, is: (value: unknown) => value is T, expected: string): T | undefined {
    const value = this.#at(path);
    if (value === undefined || value === null) return undefined;
    if (is(value)) return value;
    this.refuse(path, `must be ${expected}`);
    return undefined;
  }

  #at(path: string): unknown {
    return path
      .split(".")
      .reduce<unknown>(
        (value, key) => (isRecord(value) && Object.hasOwn(value, key) ? value[key] : undefined),
        this.#root,
      );
  }
}

function isText(value: unknown): value is string {
  return typeof value === "string";
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every(isText);
}

function isSelector(value: unknown): value is LabelSelector {
  return isRecord(value);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function defined<T extends object>(fields: T): Partial<T> {
  return Object.fromEntries(
    Object.entries(fields).filter(([, value]) => value !== undefined),
  ) as Partial<T>;
}
