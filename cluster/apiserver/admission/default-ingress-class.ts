/** An Ingress that names no class gets the one that is marked as default. */

import type { Ingress } from "#cluster/api/generated/networking-v1.ts";
import { INGRESS_CLASSES } from "#cluster/api/resources.ts";
import type { AdmissionPlugin } from "#cluster/apiserver/registry/context.ts";
import { forbidden } from "#cluster/apiserver/registry/errors.ts";
import { allObjects } from "#cluster/apiserver/registry/read.ts";
import { isObject } from "#cluster/apiserver/schema/json.ts";

const IS_DEFAULT = "ingressclass.kubernetes.io/is-default-class";
const LEGACY_CLASS = "kubernetes.io/ingress.class";

export const DEFAULT_INGRESS_CLASS: AdmissionPlugin = {
  name: "DefaultIngressClass",
  admit({ kind, operation, object }, context) {
    if (kind.group !== "networking.k8s.io" || kind.plural !== "ingresses") return;
    if (operation !== "CREATE" || !isObject(object.spec)) return;
    const spec = object.spec as unknown as NonNullable<Ingress["spec"]>;
    const legacy = object.metadata.annotations?.[LEGACY_CLASS];
    if (spec.ingressClassName !== undefined || legacy !== undefined) return;
    const [first, second] = allObjects(context, INGRESS_CLASSES)
      .filter(({ metadata }) => metadata.annotations?.[IS_DEFAULT] === "true")
      .map(({ metadata }) => metadata.name);
    if (second !== undefined) {
      const why = `2 default IngressClasses were found, only 1 allowed: ${first}, ${second}`;
      throw forbidden(kind, object.metadata.name ?? "", why);
    }
    if (first !== undefined) spec.ingressClassName = first;
  },
};
