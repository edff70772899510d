/** Namespaces and ServiceAccounts. */

import type { KubeObject } from "#cluster/api/meta.ts";
import { AGE, integer, NAME, text } from "#cluster/apiserver/kinds/columns.ts";
import type { Column, Strategy } from "#cluster/apiserver/kinds/kind.ts";
import { check } from "#cluster/apiserver/kinds/meta.ts";
import { dns1123Label } from "#cluster/apiserver/kinds/names.ts";
import { at, cloneJson, isObject, stringAt } from "#cluster/apiserver/schema/json.ts";

const NAME_LABEL = "kubernetes.io/metadata.name";
/** Held until the namespace controller has emptied the namespace. */
const FINALIZER = "kubernetes";

export const NAMESPACE_STRATEGY: Strategy = {
  applyDefaults: labelByName,
  prepare: (object, old, { operation, subresource }) => {
    if (operation === "create") {
      object.spec = { finalizers: [FINALIZER] };
      object.status = { phase: "Active" };
    } else if (old !== undefined && subresource !== "finalize") {
      object.spec = cloneJson(old.spec ?? {});
    }
  },
  validate: ({ metadata }) => check("metadata.name", metadata.name, dns1123Label(metadata.name)),
  selectableFields: (object) => ({ "status.phase": stringAt(object, "status", "phase") }),
};

/** Selectors pick a namespace by its name through this label. */
function labelByName({ metadata }: KubeObject): void {
  const { name, labels = {} } = metadata;
  // Without a name yet, when the server is to make it.
  if ((name ?? "") === "" || !isObject(labels)) return;
  metadata.labels = { ...labels, [NAME_LABEL]: name };
}

export const NAMESPACE_COLUMNS: readonly Column[] = [
  NAME,
  text("Status", (object) => stringAt(object, "status", "phase")),
  AGE,
];

export const SERVICE_ACCOUNT_COLUMNS: readonly Column[] = [
  NAME,
  integer("Secrets", (object) => {
    const secrets = at(object, "secrets");
    return Array.isArray(secrets) ? secrets.length : 0;
  }),
  AGE,
];
