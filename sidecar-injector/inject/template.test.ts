import { describe, expect, test } from "@jest/globals";
import type { PodInput } from "./pod-input.ts";
import { parseTemplate, renderTemplate, TEMPLATE_VALUES, type TemplateValues } from "./template.ts";

const VALUES = Object.fromEntries(
  TEMPLATE_VALUES.map((name) => [name, name.toUpperCase()]),
) as TemplateValues;
const POD: PodInput = { metadata: { labels: { app: "a: [b]" }, annotations: { "x.y/z": "q" } } };

function rendered(text: string): unknown {
  const parsed = parseTemplate(text);
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  const { patch, problems } = renderTemplate(parsed.template, POD, VALUES);
  return problems.length > 0 ? problems : patch;
}

describe("templates", () => {
  test.each<[string, string, unknown]>([
    [
      "values",
      "spec: {hostname: '${pod.namespace}-${revision}'}",
      { spec: { hostname: "POD.NAMESPACE-REVISION" } },
    ],
    [
      "data stays text",
      "metadata: {labels: {a: '${labels.app}'}}",
      { metadata: { labels: { a: "a: [b]" } } },
    ],
    ["annotations", "spec: {hostname: '${annotations.x.y/z}'}", { spec: { hostname: "q" } }],
    [
      "defaults",
      "spec: {hostname: '${labels.none|d}${labels.none|}'}",
      { spec: { hostname: "d" } },
    ],
    ["no value", "spec: {replicas: 1}", { spec: { replicas: 1 } }],
    [
      "a label that the pod hasn't",
      "spec: {hostname: '${labels.none}'}",
      [{ path: "spec.hostname", message: expect.stringContaining("labels.none") }],
    ],
  ])("%s", (_name, text, wanted) => {
    expect(rendered(text)).toEqual(wanted);
  });

  test.each([
    ["Go templates", "spec:\n  x: {{ .Values.global }}"],
    ["no YAML", "spec: ["],
    ["a list", "- a"],
    ["other members", "kind: Pod"],
    ["unknown values", "spec: {hostname: '${constructor}'}"],
  ])("%s are refused", (_name, text) => {
    expect(parseTemplate(text).ok).toBe(false);
  });
});
