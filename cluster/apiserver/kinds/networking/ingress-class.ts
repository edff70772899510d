/** IngressClasses. */

import type { KubeObject } from "#cluster/api/meta.ts";
import type { IngressClass } from "#cluster/api/generated/networking-v1.ts";
import { AGE, NAME, NONE, text } from "#cluster/apiserver/kinds/columns.ts";
import type { Column, Strategy } from "#cluster/apiserver/kinds/kind.ts";
import { immutable } from "#cluster/apiserver/kinds/meta.ts";
import { dns1123Subdomain } from "#cluster/apiserver/kinds/names.ts";
import { strategyOf } from "#cluster/apiserver/kinds/strategy.ts";
import * as problem from "#cluster/apiserver/schema/problem.ts";

const MAX_CONTROLLER = 250;

export const INGRESS_CLASS_STRATEGY: Strategy = strategyOf<IngressClass>({
  validate: ({ spec }) => {
    const controller = spec?.controller ?? "";
    const field = "spec.controller";
    if (controller === "") return [problem.required(field)];
    if (controller.length > MAX_CONTROLLER) return [problem.tooLong(field, MAX_CONTROLLER)];
    const slash = controller.indexOf("/");
    const domain = controller.slice(0, Math.max(slash, 0));
    if (dns1123Subdomain(domain).length === 0 && slash < controller.length - 1) return [];
    const detail = 'must be a domain-prefixed path (such as "acme.io/foo")';
    return [problem.invalid(field, controller, detail)];
  },
  validateUpdate: (object, old) =>
    object.spec?.controller === old.spec?.controller
      ? []
      : [immutable("spec.controller", object.spec?.controller ?? "")],
});

export const INGRESS_CLASS_COLUMNS: readonly Column[] = [
  NAME,
  text("Controller", (object) => ingressClass(object).spec?.controller ?? ""),
  text("Parameters", (object) => {
    const parameters = ingressClass(object).spec?.parameters;
    if (parameters === undefined) return NONE;
    const { apiGroup = "", kind, name } = parameters;
    return `${apiGroup === "" ? kind : `${kind}.${apiGroup}`}/${name}`;
  }),
  AGE,
];

function ingressClass(object: KubeObject): IngressClass {
  return object as unknown as IngressClass;
}
