/**
 * The administrator's own templates. One is a part of a Pod in YAML that is merged strategically (as
 * kubectl patches: containers by name, volumes by name, …) onto the pod. Texts may contain
 * `${pod.namespace}` and the other values of `TEMPLATE_VALUES`, `${labels.NAME}` and
 * `${annotations.NAME}`; `${labels.app|none}` has a default. A value is always text: it is put in
 * after the YAML has been read, so that it can't become structure.
 */

import { load } from "js-yaml";
import type { PodInput } from "./pod-input.ts";
import { own } from "./pod-input.ts";
import type { InjectionProblem } from "./problem.ts";

/** A part of a Pod whose texts have been checked for unknown values. */
export type PodTemplate = Readonly<Record<string, unknown>>;

export type TemplateResult =
  { ok: true; template: PodTemplate } | { ok: false; problems: InjectionProblem[] };

export const TEMPLATE_VALUES = [
  "pod.name",
  "pod.namespace",
  "pod.serviceAccountName",
  "workload.name",
  "proxy.image",
  "proxy.statusPort",
  "cluster.id",
  "cluster.domain",
  "mesh.id",
  "network",
  "revision",
] as const;

export type TemplateValues = Readonly<Record<(typeof TEMPLATE_VALUES)[number], string>>;

const PLACEHOLDER = /\$\{([^{}|]{1,320})(?:\|([^{}]{0,320}))?\}/g;
const MAX_DEPTH = 32;

/** Parses and checks; problems' paths are inside of the template. */
export function parseTemplate(text: string): TemplateResult {
  let value: unknown;
  try {
    value = load(text);
  } catch (error) {
    return problem("", `is not YAML: ${error instanceof Error ? error.message : String(error)}`);
  }
  if (typeof value === "string" || text.includes("{{")) {
    return problem("", "looks like a Go template; Lateen's templates are YAML with ${…}");
  }
  if (!isRecord(value)) return problem("", "must be a part of a Pod: metadata, spec");
  const unknown = Object.keys(value).filter((key) => !["metadata", "spec"].includes(key));
  if (unknown.length > 0) return problem(unknown[0] ?? "", "a template has metadata and spec only");
  const problems: InjectionProblem[] = [];
  mapTexts(value, "", (found, path) => {
    for (const [, name = ""] of found.matchAll(PLACEHOLDER)) {
      const known = TEMPLATE_VALUES.some((one) => one === name);
      if (known || /^(labels|annotations)\../.test(name)) continue;
      problems.push({ path, message: `there is no value ${JSON.stringify(name)}` });
    }
    return found;
  });
  return problems.length === 0 ? { ok: true, template: value } : { ok: false, problems };
}

/** The patch for one pod. A label that is missing and has no default is a problem. */
export function renderTemplate(
  template: PodTemplate,
  pod: PodInput,
  values: TemplateValues,
): { patch: Record<string, unknown>; problems: InjectionProblem[] } {
  const problems: InjectionProblem[] = [];
  const lookUp = (name: string): string | undefined => {
    const [kind, ...rest] = name.split(".");
    const key = rest.join(".");
    if (kind === "labels") return own(pod.metadata?.labels ?? {}, key);
    if (kind === "annotations") return own(pod.metadata?.annotations ?? {}, key);
    return own(values, name);
  };
  const patch = mapTexts(template, "", (text, path) =>
    text.replaceAll(PLACEHOLDER, (_, name: string, fallback: string | undefined) => {
      const value = lookUp(name) ?? fallback;
      if (value === undefined) {
        problems.push({ path, message: `the pod has no ${name}; \${${name}|default} gives one` });
      }
      return value ?? "";
    }),
  );
  return { patch: isRecord(patch) ? patch : {}, problems };
}

function mapTexts(
  value: unknown,
  path: string,
  change: (text: string, path: string) => string,
  depth = 0,
): unknown {
  if (typeof value === "string") return change(value, path);
  if (depth > MAX_DEPTH) return null;
  if (Array.isArray(value)) {
    return value.map((item, at) => mapTexts(item, `${path}[${at}]`, change, depth + 1));
  }
  if (!isRecord(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [
      key,
      mapTexts(item, path === "" ? key : `${path}.${key}`, change, depth + 1),
    ]),
  );
}

function problem(path: string, message: string): TemplateResult {
  return { ok: false, problems: [{ path, message }] };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
