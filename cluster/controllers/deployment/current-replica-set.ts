/** The step that makes sure that the present template has its ReplicaSet. */

import type {
  Deployment,
  DeploymentCondition,
  ReplicaSet,
} from "#cluster/api/generated/apps-v1.ts";
import type { Creatable } from "#cluster/api/meta.ts";
import { controllerOf, controllerReference } from "#cluster/api/owner-reference.ts";
import { DEPLOYMENTS } from "#cluster/api/resources.ts";
import { hasReason } from "#cluster/api/status-error.ts";
import { findCondition, REASONS, withCondition } from "./conditions.ts";
import type { ConditionContent } from "./conditions.ts";
import type { ReplicaSets } from "./replica-sets.ts";
import { annotateCurrent, nextRevision, REVISION, sizeAnnotations } from "./revision.ts";
import { currentSize } from "./rolling-update.ts";
import type { RolloutSpec } from "./rollout-spec.ts";
import { isSameTemplate, TEMPLATE_HASH_LABEL, templateHash } from "./template-hash.ts";

export interface CurrentActions {
  getReplicaSet(namespace: string | undefined, name: string): Promise<ReplicaSet>;
  createReplicaSet(replicaSet: Creatable<ReplicaSet>): Promise<ReplicaSet>;
  /** Merges into what is there. */
  patchReplicaSet(replicaSet: ReplicaSet, body: object): Promise<ReplicaSet>;
  annotateDeployment(
    deployment: Deployment,
    annotations: Record<string, string>,
  ): Promise<Deployment>;
}

export interface CurrentInput {
  deployment: Deployment;
  spec: RolloutSpec;
  sets: ReplicaSets;
  /** RFC 3339. */
  now: string;
}

export type CurrentResult =
  | { kind: "ready"; deployment: Deployment; sets: ReplicaSets }
  /** Another object has the name: try again with the collision counted. */
  | { kind: "collision"; deployment: Deployment }
  | { kind: "failed"; deployment: Deployment; error: unknown };

/** With `isCreating` false an absent ReplicaSet stays absent; an existing one is kept up to date. */
export async function ensureCurrent(
  input: CurrentInput,
  isCreating: boolean,
  actions: CurrentActions,
): Promise<CurrentResult> {
  const { deployment, sets, now } = input;
  const revision = nextRevision(sets.old);
  if (sets.current === undefined) {
    return isCreating
      ? createCurrent(input, revision, actions)
      : { kind: "ready", deployment, sets };
  }
  const current = await refresh(input, { current: sets.current, revision }, actions);
  const annotated = await copyRevision(deployment, current, actions);
  const message = `Found new replica set "${current.metadata.name}"`;
  const hasCondition =
    findCondition(deployment.status?.conditions ?? [], "Progressing") !== undefined;
  return {
    kind: "ready",
    deployment: hasCondition ? annotated : withProgress(annotated, REASONS.found, { message, now }),
    sets: { ...sets, current },
  };
}

async function createCurrent(
  input: CurrentInput,
  revision: number,
  actions: CurrentActions,
): Promise<CurrentResult> {
  const { deployment, spec, sets, now } = input;
  const wanted = buildReplicaSet(deployment, spec, { revision, replicas: currentSize(spec, sets) });
  try {
    const current = await actions.createReplicaSet(wanted);
    const message = `Created new replica set "${current.metadata.name}"`;
    const annotated = await copyRevision(deployment, current, actions);
    return {
      kind: "ready",
      deployment: withProgress(annotated, REASONS.created, { message, now }),
      sets: { ...sets, current },
    };
  } catch (error) {
    if (hasReason(error, "AlreadyExists")) return resolveCollision(input, wanted, actions);
    const message = `Failed to create new replica set "${wanted.metadata.name}": ${String(error)}`;
    const failed = withProgress(deployment, REASONS.failedCreate, { message, now });
    return { kind: "failed", deployment: failed, error };
  }
}

/** The name is taken: by our own ReplicaSet that the watch hasn't brought yet, or by a stranger. */
async function resolveCollision(
  { deployment, sets }: CurrentInput,
  wanted: Creatable<ReplicaSet>,
  actions: CurrentActions,
): Promise<CurrentResult> {
  const { namespace } = deployment.metadata;
  const taken = await actions.getReplicaSet(namespace, wanted.metadata.name ?? "");
  const isOurs =
    controllerOf(taken)?.uid === deployment.metadata.uid &&
    isSameTemplate(taken.spec?.template, deployment.spec?.template);
  if (isOurs) return { kind: "ready", deployment, sets: { ...sets, current: taken } };
  const collisionCount = (deployment.status?.collisionCount ?? 0) + 1;
  return {
    kind: "collision",
    deployment: { ...deployment, status: { ...deployment.status, collisionCount } },
  };
}

/** The ReplicaSet of the Deployment's template, at its first size. */
export function buildReplicaSet(
  deployment: Deployment,
  spec: RolloutSpec,
  at: { revision: number; replicas: number },
): Creatable<ReplicaSet> {
  const template = deployment.spec?.template ?? {};
  const hash = templateHash(template, deployment.status?.collisionCount ?? 0);
  const labels = { ...template.metadata?.labels, [TEMPLATE_HASH_LABEL]: hash };
  const selector = deployment.spec?.selector ?? {};
  return {
    metadata: {
      namespace: deployment.metadata.namespace,
      name: `${deployment.metadata.name}-${hash}`,
      labels,
      annotations: {
        ...annotateCurrent(deployment, undefined, at.revision),
        ...sizeAnnotations(spec),
      },
      ownerReferences: [controllerReference(DEPLOYMENTS, deployment)],
    },
    spec: {
      replicas: at.replicas,
      minReadySeconds: spec.minReadySeconds,
      selector: {
        ...selector,
        matchLabels: { ...selector.matchLabels, [TEMPLATE_HASH_LABEL]: hash },
      },
      template: { ...template, metadata: { ...template.metadata, labels } },
    },
  };
}

async function refresh(
  { deployment, spec }: CurrentInput,
  at: { current: ReplicaSet; revision: number },
  actions: CurrentActions,
): Promise<ReplicaSet> {
  const { current, revision } = at;
  const annotations = annotateCurrent(deployment, current, revision);
  const before = current.metadata.annotations ?? {};
  const isAnnotated = Object.entries(annotations).every(([key, value]) => before[key] === value);
  const isTimed = (current.spec?.minReadySeconds ?? 0) === spec.minReadySeconds;
  if (isAnnotated && isTimed) return current;
  return actions.patchReplicaSet(current, {
    metadata: { annotations },
    spec: { minReadySeconds: spec.minReadySeconds },
  });
}

async function copyRevision(
  deployment: Deployment,
  current: ReplicaSet,
  actions: CurrentActions,
): Promise<Deployment> {
  const revision = current.metadata.annotations?.[REVISION];
  if (revision === undefined || deployment.metadata.annotations?.[REVISION] === revision) {
    return deployment;
  }
  return actions.annotateDeployment(deployment, { [REVISION]: revision });
}

function withProgress(
  deployment: Deployment,
  reason: string,
  at: { message: string; now: string },
): Deployment {
  const content: ConditionContent = {
    type: "Progressing",
    status: reason === REASONS.failedCreate ? "False" : "True",
    reason,
    message: at.message,
  };
  const old: DeploymentCondition[] = deployment.status?.conditions ?? [];
  const conditions = withCondition(old, content, { now: at.now });
  return { ...deployment, status: { ...deployment.status, conditions } };
}
