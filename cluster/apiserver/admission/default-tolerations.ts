/** Pods stay on a node that is lost for five minutes, unless they say otherwise. */

import type { Toleration } from "#cluster/api/generated/core-v1.ts";
import type { AdmissionPlugin } from "#cluster/apiserver/registry/context.ts";
import { isObject } from "#cluster/apiserver/schema/json.ts";

const SECONDS = 300;
const TAINTS = ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"];

export const DEFAULT_TOLERATION_SECONDS: AdmissionPlugin = {
  name: "DefaultTolerationSeconds",
  admit({ kind, operation, subresource, object }) {
    if (kind.group !== "" || kind.plural !== "pods" || operation !== "CREATE") return;
    if (subresource !== "" || !isObject(object.spec)) return;
    const given = Array.isArray(object.spec.tolerations) ? object.spec.tolerations : [];
    const tolerations = given.filter(isObject) as unknown as Toleration[];
    const missing = TAINTS.filter((key) => !tolerations.some((it) => toleratesEviction(it, key)));
    if (missing.length === 0) return;
    const added = missing.map((key) => ({
      key,
      operator: "Exists",
      effect: "NoExecute",
      tolerationSeconds: SECONDS,
    }));
    object.spec = { ...object.spec, tolerations: [...given, ...added] };
  },
};

function toleratesEviction({ key = "", effect = "" }: Toleration, taint: string): boolean {
  return (key === taint || key === "") && (effect === "NoExecute" || effect === "");
}
