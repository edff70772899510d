/** ReplicaSets. */

import type { ReplicaSet } from "#cluster/api/generated/apps-v1.ts";
import { AGE, integer, NAME } from "#cluster/apiserver/kinds/columns.ts";
import type { Column, Strategy } from "#cluster/apiserver/kinds/kind.ts";
import { strategyOf } from "#cluster/apiserver/kinds/strategy.ts";
import { numberAt } from "#cluster/apiserver/schema/json.ts";
import * as problem from "#cluster/apiserver/schema/problem.ts";
import {
  defaultTemplate,
  validateSelectorUpdate,
  validateWorkload,
  WORKLOAD_COLUMNS,
} from "./workload.ts";

export const REPLICA_SET_STRATEGY: Strategy = strategyOf<ReplicaSet>({
  applyDefaults: defaultTemplate,
  prepare: (object, _old, { operation }) => {
    if (operation === "create") object.status = { replicas: 0 };
  },
  validate: ({ spec }) =>
    spec === undefined ? [problem.required("spec")] : validateWorkload(spec, "replica set"),
  validateUpdate: (object, old) => validateSelectorUpdate(object.spec, old.spec),
  selectableFields: ({ status }) => ({ "status.replicas": String(status?.replicas ?? 0) }),
});

export const REPLICA_SET_COLUMNS: readonly Column[] = [
  NAME,
  integer("Desired", (object) => numberAt(object, "spec", "replicas") ?? 0),
  integer("Current", (object) => numberAt(object, "status", "replicas") ?? 0),
  integer("Ready", (object) => numberAt(object, "status", "readyReplicas") ?? 0),
  AGE,
  ...WORKLOAD_COLUMNS,
];
