/** Asks the webhooks of MutatingWebhookConfigurations, one after the other, and applies patches. */

import { randomUUID } from "node:crypto";
import type { KubeObject, LabelSelector } from "#cluster/api/meta.ts";
import type {
  MutatingWebhook,
  RuleWithOperations,
} from "#cluster/api/generated/admissionregistration-v1.ts";
import { MUTATING_WEBHOOKS, NAMESPACES } from "#cluster/api/resources.ts";
import { matchesLabelSelector } from "#cluster/api/selector.ts";
import { statusError } from "#cluster/api/status-error.ts";
import { userInfo } from "#cluster/apiserver/auth/reviews.ts";
import { applyJsonPatch } from "#cluster/apiserver/patch/json-patch.ts";
import type {
  AdmissionPlugin,
  AdmissionRequest,
  RegistryContext,
} from "#cluster/apiserver/registry/context.ts";
import { allObjects, findObject } from "#cluster/apiserver/registry/read.ts";
import { applyDefaults } from "#cluster/apiserver/schema/defaults.ts";
import { isObject, stringAt } from "#cluster/apiserver/schema/json.ts";
import { pruneUnknown } from "#cluster/apiserver/schema/prune.ts";
import { callWebhook } from "./webhook-client.ts";

const DEFAULT_TIMEOUT_SECONDS = 10;
/** The webhooks' own configurations are never sent to webhooks: that way lies a deadlock. */
const EXEMPT_GROUP = "admissionregistration.k8s.io";

export const MUTATING_WEBHOOKS_ADMISSION: AdmissionPlugin = {
  name: "MutatingAdmissionWebhook",
  async admit(request, context) {
    if (request.kind.group === EXEMPT_GROUP) return;
    const webhooks = webhooksOf(context).filter((webhook) => concerns(context, webhook, request));
    const patchedBy: MutatingWebhook[] = [];
    for (const webhook of webhooks) {
      if (await consult(context, webhook, request)) patchedBy.push(webhook);
    }
    const last = patchedBy.at(-1);
    if (last === undefined) return;
    // Once more for those that want to see what came after them.
    for (const webhook of webhooks.slice(0, webhooks.indexOf(last))) {
      if (webhook.reinvocationPolicy === "IfNeeded") await consult(context, webhook, request);
    }
    pruneUnknown(request.kind.schema, request.object);
    applyDefaults(request.kind.schema, request.object);
    request.kind.strategy.applyDefaults?.(request.object);
  },
};

/** In order of their configurations' names, as Kubernetes calls them. */
function webhooksOf(context: RegistryContext): MutatingWebhook[] {
  return allObjects(context, MUTATING_WEBHOOKS).flatMap(({ webhooks }) => webhooks ?? []);
}

function concerns(
  context: RegistryContext,
  webhook: MutatingWebhook,
  request: AdmissionRequest,
): boolean {
  if (!(webhook.rules ?? []).some((rule) => ruleMatches(rule, request))) return false;
  const { object, old } = request;
  const candidates = old === undefined ? [object] : [object, old];
  const byObject = candidates.some(({ metadata }) =>
    matchesLabelSelector(webhook.objectSelector, metadata.labels),
  );
  return byObject && namespaceMatches(context, webhook.namespaceSelector, request);
}

function ruleMatches(rule: RuleWithOperations, request: AdmissionRequest): boolean {
  const { kind, operation, subresource } = request;
  const has = (list: readonly string[] | undefined, value: string): boolean =>
    (list ?? []).some((entry) => entry === "*" || entry === value);
  const scope = kind.namespaced ? "Namespaced" : "Cluster";
  return (
    has(rule.operations, operation) &&
    has(rule.apiGroups, kind.group) &&
    has(rule.apiVersions, kind.version) &&
    (rule.scope === undefined || rule.scope === "*" || rule.scope === scope) &&
    (rule.resources ?? []).some((resource) => resourceMatches(resource, kind.plural, subresource))
  );
}

/** A resource, a star for all, or either with a slash and a subresource or a star. */
function resourceMatches(pattern: string, plural: string, subresource: string): boolean {
  const [resource = "", sub] = pattern.split("/");
  if (resource !== "*" && resource !== plural) return false;
  if (sub === undefined) return subresource === "";
  return sub === "*" || sub === subresource;
}

/** Cluster-scoped objects other than namespaces match every namespace selector. */
function namespaceMatches(
  context: RegistryContext,
  selector: LabelSelector | undefined,
  { kind, namespace, object }: AdmissionRequest,
): boolean {
  const isNamespace = kind.group === "" && kind.plural === "namespaces";
  if (isNamespace) return matchesLabelSelector(selector, object.metadata.labels);
  if (!kind.namespaced) return true;
  const found = findObject(context, NAMESPACES, { name: namespace });
  return matchesLabelSelector(selector, found?.metadata.labels);
}

/** Whether the webhook changed the object; throws when it refuses, or fails and must not. */
async function consult(
  context: RegistryContext,
  webhook: MutatingWebhook,
  request: AdmissionRequest,
): Promise<boolean> {
  const { name, clientConfig, timeoutSeconds = DEFAULT_TIMEOUT_SECONDS } = webhook;
  let response: Record<string, unknown>;
  try {
    response = await callWebhook(context, {
      clientConfig,
      review: reviewOf(request),
      timeoutMs: timeoutSeconds * 1000,
      signal: request.signal,
    });
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    const message = `failed calling webhook "${name}": ${why}`;
    if (webhook.failurePolicy !== "Ignore") throw statusError("InternalError", message);
    request.warnings.push(message);
    return false;
  }
  if (Array.isArray(response.warnings)) request.warnings.push(...response.warnings.map(String));
  if (response.allowed !== true) throw denial(name, response.status);
  return applyPatch(name, request, response);
}

function denial(name: string, status: unknown): Error {
  const message = stringAt(status, "message") || stringAt(status, "reason");
  const why = message === "" ? "without explanation" : `: ${message}`;
  return statusError("Forbidden", `admission webhook "${name}" denied the request${why}`);
}

function applyPatch(
  name: string,
  request: AdmissionRequest,
  { patch, patchType }: Record<string, unknown>,
): boolean {
  if (typeof patch !== "string" || patch === "") return false;
  if (patchType !== "JSONPatch") {
    throw statusError("InternalError", `webhook "${name}": patchType must be JSONPatch`);
  }
  const operations: unknown = JSON.parse(Buffer.from(patch, "base64").toString());
  if (Array.isArray(operations) && operations.length === 0) return false;
  const applied = applyJsonPatch(request.object, operations);
  if (!applied.ok || !isObject(applied.result) || !isObject(applied.result.metadata)) {
    const why = applied.ok ? "the result is no object" : applied.message;
    throw statusError("InternalError", `webhook "${name}": its patch can't be applied: ${why}`);
  }
  request.object = applied.result as unknown as KubeObject;
  return true;
}

function reviewOf(request: AdmissionRequest): object {
  const { kind, name, namespace, operation, subresource, dryRun, old } = request;
  const type = { group: kind.group, version: kind.version, kind: kind.kind };
  const resource = { group: kind.group, version: kind.version, resource: kind.plural };
  return {
    kind: "AdmissionReview",
    apiVersion: "admission.k8s.io/v1",
    request: {
      uid: randomUUID(),
      kind: type,
      resource,
      requestKind: type,
      requestResource: resource,
      ...(subresource === "" ? {} : { subResource: subresource, requestSubResource: subresource }),
      name,
      ...(namespace === "" ? {} : { namespace }),
      operation,
      userInfo: userInfo(request.user),
      object: operation === "DELETE" ? null : request.object,
      oldObject: old ?? null,
      dryRun,
      options: null,
    },
  };
}
