/** Which Ingresses are ours: Kubernetes' IngressClass, and the older annotation. */

import type { Ingress, IngressClass } from "#cluster/api/generated/networking-v1.ts";
import { DEFAULT_SETTINGS, type IngressSettings } from "./settings.ts";

/** `spec.controller` of the classes that this mesh serves; Istio's. */
export const INGRESS_CONTROLLER = "istio.io/ingress-controller";

/** Value of the annotation `kubernetes.io/ingress.class` that means this mesh. */
export const INGRESS_CLASS = "istio";

export const IS_DEFAULT_CLASS = "ingressclass.kubernetes.io/is-default-class";

const ANNOTATION = "kubernetes.io/ingress.class";

/**
 * The annotation wins over `ingressClassName`, as in Istio; an Ingress without either is ours when
 * one of our classes is the cluster's default, or the mesh takes all such.
 */
export function isOurs(
  ingress: Ingress,
  classes: readonly IngressClass[],
  { mode, className }: IngressSettings = DEFAULT_SETTINGS,
): boolean {
  if (mode === "OFF") return false;
  const annotations = ingress.metadata.annotations ?? {};
  if (Object.hasOwn(annotations, ANNOTATION)) return annotations[ANNOTATION] === className;
  const ours = classes.filter(({ spec }) => spec?.controller === INGRESS_CONTROLLER);
  const name = ingress.spec?.ingressClassName;
  if (name !== undefined) return ours.some(({ metadata }) => metadata.name === name);
  if (mode === "DEFAULT") return true;
  return ours.some(({ metadata }) => metadata.annotations?.[IS_DEFAULT_CLASS] === "true");
}
