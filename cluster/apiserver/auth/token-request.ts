/** TokenRequest: a ServiceAccount's token, bound to a pod if asked for (KEP-1205). */

import type { KubeObject } from "#cluster/api/meta.ts";
import { PODS, SERVICE_ACCOUNTS } from "#cluster/api/resources.ts";
import { statusError } from "#cluster/api/status-error.ts";
import { timestamp, type RegistryContext } from "#cluster/apiserver/registry/context.ts";
import { conflict, forbidden, notFound } from "#cluster/apiserver/registry/errors.ts";
import { findObject } from "#cluster/apiserver/registry/read.ts";
import { at, isObject, stringAt } from "#cluster/apiserver/schema/json.ts";
import type { ResourceRequest } from "#cluster/apiserver/server/request.ts";
import type { Authenticator } from "./authenticate.ts";
import type { BoundObject } from "./tokens.ts";
import { MASTERS, NODES } from "./user.ts";

const DEFAULT_SECONDS = 3600;
const MIN_SECONDS = 600;
const MAX_SECONDS = 24 * 3600;

export async function createToken(
  context: RegistryContext,
  authenticator: Authenticator,
  given: { request: ResourceRequest; body: unknown },
): Promise<KubeObject> {
  const { namespace, name } = given.request.info;
  const account = findObject(context, SERVICE_ACCOUNTS, { namespace, name });
  if (account === undefined) throw notFound(SERVICE_ACCOUNT_KIND, name);
  const spec = at(given.body, "spec");
  const pod = boundPod(context, given.request, spec);
  const asked = isObject(spec) && Array.isArray(spec.audiences) ? spec.audiences.map(String) : [];
  const audiences = asked.length > 0 ? asked : authenticator.audiences;
  const seconds = lifetimeOf(spec);
  const issuedAt = Math.floor(context.now() / 1000);
  const expiresAt = issuedAt + seconds;
  const token = await authenticator.tokens.issue({
    namespace,
    serviceAccount: { name, uid: account.metadata.uid ?? "" },
    pod,
    audiences,
    issuedAt,
    expiresAt,
  });
  const boundObjectRef =
    pod === undefined ? undefined : { kind: "Pod", apiVersion: "v1", name: pod.name, uid: pod.uid };
  return {
    kind: "TokenRequest",
    apiVersion: "authentication.k8s.io/v1",
    metadata: { name, namespace, creationTimestamp: timestamp(context.now()) },
    spec: { audiences, expirationSeconds: seconds, boundObjectRef },
    status: { token, expirationTimestamp: timestamp(expiresAt * 1000) },
  };
}

const SERVICE_ACCOUNT_KIND = { ...SERVICE_ACCOUNTS, kind: "ServiceAccount" };
const POD_KIND = { ...PODS, kind: "Pod" };

function lifetimeOf(spec: unknown): number {
  const asked = at(spec, "expirationSeconds") ?? DEFAULT_SECONDS;
  if (typeof asked !== "number" || !Number.isSafeInteger(asked) || asked < MIN_SECONDS) {
    throw statusError(
      "Invalid",
      `spec.expirationSeconds: Invalid value: ${JSON.stringify(asked)}: may not specify a duration less than 10 minutes`,
    );
  }
  return Math.min(asked, MAX_SECONDS);
}

/** The pod must use this ServiceAccount, and a node may ask only for pods of its own. */
function boundPod(
  context: RegistryContext,
  request: ResourceRequest,
  spec: unknown,
): BoundObject | undefined {
  const reference = at(spec, "boundObjectRef");
  const { namespace, name: account } = request.info;
  const { user } = request;
  const byNode = user.groups.includes(NODES) && !user.groups.includes(MASTERS);
  if (!isObject(reference)) {
    if (!byNode) return undefined;
    throw forbidden(SERVICE_ACCOUNT_KIND, account, "node requested token not bound to a pod");
  }
  const name = stringAt(reference, "name");
  if (reference.kind !== "Pod") {
    throw statusError("BadRequest", `spec.boundObjectRef: only Pods are supported, not ${name}`);
  }
  const pod = findObject(context, PODS, { namespace, name });
  if (pod === undefined) throw notFound(POD_KIND, name);
  const uid = pod.metadata.uid ?? "";
  const askedUid = stringAt(reference, "uid");
  if (askedUid !== "" && askedUid !== uid) {
    throw conflict(
      POD_KIND,
      name,
      `the UID in the bound object reference (${askedUid}) does not match the UID in record (${uid})`,
    );
  }
  if (pod.spec?.serviceAccountName !== account) {
    throw statusError(
      "BadRequest",
      `cannot bind token for serviceaccount "${account}" to pod running with different serviceaccount name "${pod.spec?.serviceAccountName}"`,
    );
  }
  if (byNode && user.name !== `system:node:${pod.spec?.nodeName}`) {
    throw forbidden(
      SERVICE_ACCOUNT_KIND,
      account,
      "node requested token bound to a pod of another node",
    );
  }
  return { name, uid };
}
