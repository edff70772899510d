/** Nodes. */

import type { KubeObject } from "#cluster/api/meta.ts";
import type { Node } from "#cluster/api/generated/core-v1.ts";
import { AGE, joined, NAME, NONE, text, UNKNOWN, wide } from "#cluster/apiserver/kinds/columns.ts";
import type { Column, Strategy } from "#cluster/apiserver/kinds/kind.ts";
import { check } from "#cluster/apiserver/kinds/meta.ts";
import { labelValue, qualifiedName } from "#cluster/apiserver/kinds/names.ts";
import { strategyOf } from "#cluster/apiserver/kinds/strategy.ts";
import { equalJson } from "#cluster/apiserver/schema/json.ts";
import * as problem from "#cluster/apiserver/schema/problem.ts";
import type { FieldProblem } from "#cluster/apiserver/schema/schema.ts";

/** A new node keeps the status that it comes with: the kubelet registers with it. */
export const NODE_STRATEGY: Strategy = strategyOf<Node>({
  validate: ({ spec }) => {
    const seen = new Set<string>();
    return (spec?.taints ?? []).flatMap(({ key, value = "", effect }, index) => {
      const at = `spec.taints[${index}]`;
      const problems: FieldProblem[] = [
        ...check(`${at}.key`, key, qualifiedName(key)),
        ...check(`${at}.value`, value, labelValue(value)),
      ];
      const identity = `${key}:${effect}`;
      if (seen.has(identity)) {
        problems.push(problem.duplicate(at, { key, value, effect }));
      }
      seen.add(identity);
      return problems;
    });
  },
  validateUpdate: (object, old) => {
    const problems: FieldProblem[] = [];
    const before = old.spec?.podCIDRs ?? [];
    if (before.length > 0 && !equalJson(before, object.spec?.podCIDRs ?? [])) {
      const detail = 'node updates may not change podCIDR except from "" to valid';
      problems.push(problem.forbidden("spec.podCIDRs", detail));
    }
    const provider = old.spec?.providerID ?? "";
    if (provider !== "" && object.spec?.providerID !== provider) {
      const detail = 'node updates may not change providerID except from "" to valid';
      problems.push(problem.forbidden("spec.providerID", detail));
    }
    return problems;
  },
  selectableFields: ({ spec }) => ({
    "spec.unschedulable": String(spec?.unschedulable ?? false),
  }),
});

const node = (object: KubeObject): Node => object as unknown as Node;

export const NODE_COLUMNS: readonly Column[] = [
  NAME,
  text("Status", (object) => readiness(node(object))),
  text("Roles", (object) => joined(roles(object))),
  AGE,
  text("Version", (object) => node(object).status?.nodeInfo?.kubeletVersion ?? ""),
  wide(text("Internal-IP", (object) => address(node(object), "InternalIP"))),
  wide(text("External-IP", (object) => address(node(object), "ExternalIP"))),
  wide(text("OS-Image", (object) => node(object).status?.nodeInfo?.osImage || UNKNOWN)),
  wide(text("Kernel-Version", (object) => node(object).status?.nodeInfo?.kernelVersion || UNKNOWN)),
  wide(
    text("Container-Runtime", (object) => {
      return node(object).status?.nodeInfo?.containerRuntimeVersion || UNKNOWN;
    }),
  ),
];

function readiness({ spec, status }: Node): string {
  const ready = status?.conditions?.find((condition) => condition.type === "Ready");
  const parts = [ready === undefined ? "Unknown" : ready.status === "True" ? "Ready" : "NotReady"];
  if (spec?.unschedulable === true) parts.push("SchedulingDisabled");
  return parts.join(",");
}

const ROLE_PREFIX = "node-role.kubernetes.io/";

function roles({ metadata }: KubeObject): string[] {
  const labels = Object.entries(metadata.labels ?? {});
  const found = labels.flatMap(([key, value]) => {
    if (key.startsWith(ROLE_PREFIX)) return [key.slice(ROLE_PREFIX.length)];
    return key === "kubernetes.io/role" ? [value] : [];
  });
  return [...new Set(found.filter((role) => role !== ""))].toSorted();
}

function address({ status }: Node, type: string): string {
  return status?.addresses?.find((known) => known.type === type)?.address ?? NONE;
}
