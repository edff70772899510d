/** Deployments. */

import type { KubeObject } from "#cluster/api/meta.ts";
import type { Deployment, DeploymentStrategy } from "#cluster/api/generated/apps-v1.ts";
import { AGE, integer, NAME, text } from "#cluster/apiserver/kinds/columns.ts";
import type { Column, Strategy } from "#cluster/apiserver/kinds/kind.ts";
import { strategyOf } from "#cluster/apiserver/kinds/strategy.ts";
import { at, isObject, numberAt } from "#cluster/apiserver/schema/json.ts";
import * as problem from "#cluster/apiserver/schema/problem.ts";
import type { FieldProblem } from "#cluster/apiserver/schema/schema.ts";
import {
  defaultTemplate,
  validateSelectorUpdate,
  validateWorkload,
  WORKLOAD_COLUMNS,
} from "./workload.ts";

const DEFAULT_STEP = "25%";

export const DEPLOYMENT_STRATEGY: Strategy = strategyOf<Deployment>({
  applyDefaults: (object) => {
    defaultTemplate(object);
    defaultRollout(object);
  },
  prepare: (object, _old, { operation }) => {
    if (operation === "create") object.status = {};
  },
  validate: ({ spec }) => {
    if (spec === undefined) return [problem.required("spec")];
    const problems = [
      ...validateWorkload(spec, "deployment"),
      ...validateStrategy(spec.strategy ?? {}),
    ];
    const { progressDeadlineSeconds, minReadySeconds = 0 } = spec;
    if (progressDeadlineSeconds !== undefined && progressDeadlineSeconds <= minReadySeconds) {
      const field = "spec.progressDeadlineSeconds";
      const detail = "must be greater than minReadySeconds";
      problems.push(problem.invalid(field, progressDeadlineSeconds, detail));
    }
    return problems;
  },
  validateUpdate: (object, old) => validateSelectorUpdate(object.spec, old.spec),
});

function defaultRollout(object: KubeObject): void {
  const strategy = at(object, "spec", "strategy");
  if (!isObject(strategy) || strategy["type"] !== "RollingUpdate") return;
  strategy["rollingUpdate"] ??= {};
  const rolling = strategy["rollingUpdate"];
  if (!isObject(rolling)) return;
  rolling["maxUnavailable"] ??= DEFAULT_STEP;
  rolling["maxSurge"] ??= DEFAULT_STEP;
}

function validateStrategy({ type, rollingUpdate }: DeploymentStrategy): FieldProblem[] {
  const path = "spec.strategy.rollingUpdate";
  if (rollingUpdate === undefined) return [];
  if (type === "Recreate") {
    const detail = "may not be specified when strategy `type` is 'Recreate'";
    return [problem.forbidden(path, detail)];
  }
  const { maxUnavailable = 0, maxSurge = 0 } = rollingUpdate;
  const problems = [
    ...validateStep(maxUnavailable, `${path}.maxUnavailable`),
    ...validateStep(maxSurge, `${path}.maxSurge`),
  ];
  if (problems.length === 0 && isZero(maxUnavailable) && isZero(maxSurge)) {
    const detail = "may not be 0 when `maxSurge` is 0";
    problems.push(problem.invalid(`${path}.maxUnavailable`, maxUnavailable, detail));
  }
  if (percentOf(maxUnavailable) > 100) {
    problems.push(
      problem.invalid(`${path}.maxUnavailable`, maxUnavailable, "must not be greater than 100%"),
    );
  }
  return problems;
}

function validateStep(value: number | string, path: string): FieldProblem[] {
  if (typeof value === "number") {
    if (value >= 0) return [];
    return [problem.invalid(path, value, "must be greater than or equal to 0")];
  }
  if (/^\d{1,9}%$/.test(value)) return [];
  const detail =
    "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or " +
    "'93%', regex used for validation is '[0-9]+%')";
  return [problem.invalid(path, value, detail)];
}

function isZero(value: number | string): boolean {
  return value === 0 || percentOf(value) === 0;
}

function percentOf(value: number | string): number {
  return typeof value === "string" ? Number(value.slice(0, -1)) : NaN;
}

export const DEPLOYMENT_COLUMNS: readonly Column[] = [
  NAME,
  text("Ready", (object) => {
    const ready = numberAt(object, "status", "readyReplicas") ?? 0;
    return `${ready}/${numberAt(object, "spec", "replicas") ?? 0}`;
  }),
  integer("Up-to-date", (object) => numberAt(object, "status", "updatedReplicas") ?? 0),
  integer("Available", (object) => numberAt(object, "status", "availableReplicas") ?? 0),
  AGE,
  ...WORKLOAD_COLUMNS,
];
