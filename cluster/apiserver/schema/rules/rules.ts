/**
 * What the Go tags of the built-in types don't say and their servers do: defaults, enumerations,
 * ranges and required fields. A rule's keywords are merged into the field's schema.
 */

import { ADMISSION_RULES } from "./admission.ts";
import { APPS_RULES } from "./apps.ts";
import { CORE_RULES } from "./core.ts";
import { NETWORK_RULES } from "./network.ts";
import { POD_RULES } from "./pod.ts";
import type { TypeRules } from "./rule.ts";

const RULES: ReadonlyMap<string, TypeRules> = new Map(
  Object.entries({
    ...POD_RULES,
    ...CORE_RULES,
    ...NETWORK_RULES,
    ...APPS_RULES,
    ...ADMISSION_RULES,
  }),
);

const NONE: TypeRules = {};

/** The rules of a built-in type; none for most. */
export function rulesOf(definition: string): TypeRules {
  return RULES.get(definition) ?? NONE;
}
