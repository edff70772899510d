/** Leases. */

import { AGE, NAME, text } from "#cluster/apiserver/kinds/columns.ts";
import type { Column } from "#cluster/apiserver/kinds/kind.ts";
import { stringAt } from "#cluster/apiserver/schema/json.ts";

export const LEASE_COLUMNS: readonly Column[] = [
  NAME,
  text("Holder", (object) => stringAt(object, "spec", "holderIdentity")),
  AGE,
];
