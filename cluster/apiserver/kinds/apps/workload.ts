/** What Deployments and ReplicaSets have in common. */

import type { KubeObject, LabelSelector } from "#cluster/api/meta.ts";
import type { PodTemplateSpec } from "#cluster/api/generated/core-v1.ts";
import {
  formatLabelSelector,
  fromLabelSelector,
  matchesLabelSelector,
} from "#cluster/api/selector.ts";
import { defaultPodSpec } from "#cluster/apiserver/kinds/core/pod-defaults.ts";
import { validatePodTemplate } from "#cluster/apiserver/kinds/core/pod-spec.ts";
import { joined, NONE, text, wide } from "#cluster/apiserver/kinds/columns.ts";
import type { Column } from "#cluster/apiserver/kinds/kind.ts";
import { immutable, validateLabelSelector } from "#cluster/apiserver/kinds/meta.ts";
import { at, equalJson, objectsAt, stringAt } from "#cluster/apiserver/schema/json.ts";
import * as problem from "#cluster/apiserver/schema/problem.ts";
import type { FieldProblem } from "#cluster/apiserver/schema/schema.ts";

interface WorkloadSpec {
  selector?: LabelSelector;
  template?: PodTemplateSpec;
}

export function defaultTemplate(object: KubeObject): void {
  defaultPodSpec(at(object, "spec", "template", "spec"));
}

/** The selector must be one, and must select the template's own pods. */
export function validateWorkload(
  { selector, template }: WorkloadSpec,
  kind: "deployment" | "replica set",
): FieldProblem[] {
  const problems = validateLabelSelector(selector, "spec.selector");
  const labels = template?.metadata?.labels ?? {};
  const parsed = fromLabelSelector(selector);
  if (parsed.ok && parsed.requirements.length === 0) {
    const detail = `empty selector is invalid for ${kind}`;
    problems.push(problem.invalid("spec.selector", selector ?? {}, detail));
  } else if (problems.length === 0 && !matchesLabelSelector(selector, labels)) {
    const detail = "`selector` does not match template `labels`";
    problems.push(problem.invalid("spec.template.metadata.labels", labels, detail));
  }
  if (template === undefined) problems.push(problem.required("spec.template"));
  else problems.push(...validatePodTemplate(template, "spec.template"));
  return problems;
}

export function validateSelectorUpdate(
  after: WorkloadSpec | undefined,
  before: WorkloadSpec | undefined,
): FieldProblem[] {
  if (equalJson(after?.selector, before?.selector)) return [];
  return [immutable("spec.selector", after?.selector ?? null)];
}

/** Names, images and selector, with `-o wide`. */
export const WORKLOAD_COLUMNS: readonly Column[] = [
  wide(text("Containers", (object) => joined(containers(object, "name")))),
  wide(text("Images", (object) => joined(containers(object, "image")))),
  wide(text("Selector", selectorText)),
];

function containers(object: KubeObject, field: string): string[] {
  return objectsAt(object, "spec", "template", "spec", "containers").map((container) =>
    stringAt(container, field),
  );
}

function selectorText(object: KubeObject): string {
  const selector = at(object, "spec", "selector") as LabelSelector | undefined;
  return selector === undefined ? NONE : formatLabelSelector(selector) || NONE;
}
