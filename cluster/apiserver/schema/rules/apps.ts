/** apps/v1. */

import { NOT_NEGATIVE, oneOf, REQUIRED, type TypeRules } from "./rule.ts";

const APPS = "io.k8s.api.apps.v1";

export const APPS_RULES: Readonly<Record<string, TypeRules>> = {
  [`${APPS}.DeploymentSpec`]: {
    replicas: { ...NOT_NEGATIVE, default: 1 },
    selector: REQUIRED,
    template: REQUIRED,
    strategy: { default: {} },
    minReadySeconds: NOT_NEGATIVE,
    revisionHistoryLimit: { ...NOT_NEGATIVE, default: 10 },
    progressDeadlineSeconds: { ...NOT_NEGATIVE, default: 600 },
  },
  [`${APPS}.DeploymentStrategy`]: { type: oneOf(["Recreate", "RollingUpdate"], "RollingUpdate") },
  [`${APPS}.ReplicaSetSpec`]: {
    replicas: { ...NOT_NEGATIVE, default: 1 },
    selector: REQUIRED,
    minReadySeconds: NOT_NEGATIVE,
  },
  [`${APPS}.ReplicaSetStatus`]: {
    replicas: NOT_NEGATIVE,
    readyReplicas: NOT_NEGATIVE,
    availableReplicas: NOT_NEGATIVE,
    fullyLabeledReplicas: NOT_NEGATIVE,
  },
};
