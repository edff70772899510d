/** Taints of nodes and what pods tolerate (core/v1 `Toleration.ToleratesTaint`). */

import type { Taint, Toleration } from "./generated/core-v1.ts";

/** Whether one toleration covers a taint; an absent effect or key covers any. */
export function tolerates(toleration: Toleration, taint: Taint): boolean {
  const { key = "", operator = "Equal", value = "", effect = "" } = toleration;
  if (effect !== "" && effect !== taint.effect) return false;
  if (key === "") return operator === "Exists";
  if (key !== taint.key) return false;
  return operator === "Exists" || value === (taint.value ?? "");
}
