/** Pods: defaults, what may change, what can be selected, columns. */

import type { KubeObject } from "#cluster/api/meta.ts";
import type { Container, Pod, PodSpec, Toleration } from "#cluster/api/generated/core-v1.ts";
import { AGE, NAME, NONE, text, wide } from "#cluster/apiserver/kinds/columns.ts";
import type { Column, Strategy } from "#cluster/apiserver/kinds/kind.ts";
import { strategyOf } from "#cluster/apiserver/kinds/strategy.ts";
import { at, cloneJson, equalJson, isObject, objectsAt } from "#cluster/apiserver/schema/json.ts";
import * as problem from "#cluster/apiserver/schema/problem.ts";
import type { FieldProblem } from "#cluster/apiserver/schema/schema.ts";
import { defaultPodSpec } from "./pod-defaults.ts";
import { validatePodSpec } from "./pod-spec.ts";
import { restartsText, summarize } from "./pod-status.ts";

const DEFAULT_GRACE_SECONDS = 30;

export const POD_STRATEGY: Strategy = strategyOf<Pod>({
  applyDefaults: (object) => {
    defaultPodSpec(object.spec);
    // Webhooks may have added containers since it was computed.
    if (isObject(object.status) && "qosClass" in object.status) {
      object.status["qosClass"] = qosClass(object);
    }
  },
  prepare: (object, old, { operation }) => {
    if (operation === "create" && old === undefined) {
      object.status = { phase: "Pending", qosClass: qosClass(object) };
    }
  },
  validate: ({ spec }) =>
    spec === undefined ? [problem.required("spec")] : validatePodSpec(spec, "spec"),
  validateUpdate,
  selectableFields: ({ spec, status }) => ({
    "spec.nodeName": spec?.nodeName ?? "",
    "spec.restartPolicy": spec?.restartPolicy ?? "",
    "spec.schedulerName": spec?.schedulerName ?? "",
    "spec.serviceAccountName": spec?.serviceAccountName ?? "",
    "spec.hostNetwork": String(spec?.hostNetwork ?? false),
    "status.phase": status?.phase ?? "",
    "status.podIP": status?.podIP ?? "",
    "status.nominatedNodeName": status?.nominatedNodeName ?? "",
  }),
  gracePeriodSeconds: ({ spec, status }) => {
    const ended = status?.phase === "Failed" || status?.phase === "Succeeded";
    // Nothing runs on no node: there is nothing to end gracefully.
    if ((spec?.nodeName ?? "") === "" || ended) return 0;
    return spec?.terminationGracePeriodSeconds ?? DEFAULT_GRACE_SECONDS;
  },
});

const pod = (object: KubeObject): Pod => object as unknown as Pod;

export const POD_COLUMNS: readonly Column[] = [
  NAME,
  text("Ready", (object) => {
    const { ready, total } = summarize(pod(object));
    return `${ready}/${total}`;
  }),
  text("Status", (object) => summarize(pod(object)).status),
  text("Restarts", (object, now) => restartsText(summarize(pod(object)), now)),
  AGE,
  wide(text("IP", (object) => pod(object).status?.podIP || NONE)),
  wide(text("Node", (object) => pod(object).spec?.nodeName || NONE)),
  wide(text("Nominated Node", (object) => pod(object).status?.nominatedNodeName || NONE)),
  wide(text("Readiness Gates", (object) => readinessGates(pod(object)))),
];

function readinessGates({ spec, status }: Pod): string {
  const gates = spec?.readinessGates ?? [];
  if (gates.length === 0) return NONE;
  const passed = gates.filter(({ conditionType }) =>
    status?.conditions?.some(({ type, status }) => type === conditionType && status === "True"),
  );
  return `${passed.length}/${gates.length}`;
}

/** Kubernetes' quality of service: who is evicted first. The object may be unchecked. */
function qosClass(object: KubeObject): string {
  const containers = [
    ...objectsAt(object, "spec", "initContainers"),
    ...objectsAt(object, "spec", "containers"),
  ];
  const amounts = (field: string): Record<string, unknown>[] =>
    containers.map((container) => {
      const found = at(container, "resources", field);
      return typeof found === "object" && found !== null ? { ...found } : {};
    });
  const [requests, limits] = [amounts("requests"), amounts("limits")];
  const named = [...requests, ...limits].flatMap((amount) => Object.entries(amount));
  const counted = named.filter(
    ([resource, amount]) => (resource === "cpu" || resource === "memory") && !isZero(amount),
  );
  if (counted.length === 0) return "BestEffort";
  const guaranteed = limits.every((limit, index) =>
    ["cpu", "memory"].every(
      (resource) =>
        limit[resource] !== undefined && equalJson(limit[resource], requests[index]?.[resource]),
    ),
  );
  return guaranteed ? "Guaranteed" : "Burstable";
}

function isZero(amount: unknown): boolean {
  return amount === "0" || amount === 0;
}

/** A pod's spec is settled once it is made, but for a few fields. */
function validateUpdate(object: Pod, old: Pod): FieldProblem[] {
  if (object.spec === undefined || old.spec === undefined) return [];
  const problems: FieldProblem[] = [];
  const { tolerations = [], activeDeadlineSeconds } = object.spec;
  const before: readonly Toleration[] = old.spec.tolerations ?? [];
  if (!before.every((known) => tolerations.some((toleration) => equalJson(toleration, known)))) {
    const detail = "existing toleration can not be modified except its tolerationSeconds";
    problems.push(problem.forbidden("spec.tolerations", detail));
  }
  const deadline = old.spec.activeDeadlineSeconds;
  if (deadline !== undefined && (activeDeadlineSeconds ?? Infinity) > deadline) {
    const detail = "must be less than or equal to previous value";
    const field = "spec.activeDeadlineSeconds";
    problems.push(problem.invalid(field, activeDeadlineSeconds ?? null, detail));
  }
  if (!equalJson(settled(object.spec, old.spec), settled(old.spec, old.spec))) {
    problems.push(problem.forbidden("spec", ONLY_THESE));
  }
  return problems;
}

const ONLY_THESE =
  "pod updates may not change fields other than `spec.containers[*].image`," +
  "`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only " +
  "additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set " +
  "to 1 if it was previously negative)";

/** The spec without what may change; ephemeral containers may be added, a node be bound once. */
function settled(spec: PodSpec, old: PodSpec): PodSpec {
  const withoutImages = (containers: readonly Container[] = []): Container[] =>
    containers.map((container) => ({ ...container, image: "" }));
  const copy: PodSpec = cloneJson({
    ...spec,
    containers: withoutImages(spec.containers),
    initContainers: withoutImages(spec.initContainers),
  });
  delete copy.activeDeadlineSeconds;
  delete copy.tolerations;
  delete copy.ephemeralContainers;
  delete copy.schedulingGates;
  if ((old.nodeName ?? "") === "") delete copy.nodeName;
  return copy;
}
