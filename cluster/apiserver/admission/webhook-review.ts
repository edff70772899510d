/** What webhooks are sent, and what becomes of their answers. */

import { randomUUID } from "node:crypto";
import type {
  MutatingWebhook,
  ValidatingWebhook,
} from "#cluster/api/generated/admissionregistration-v1.ts";
import {
  REASON_CODES,
  StatusError,
  statusError,
  type StatusReason,
} from "#cluster/api/status-error.ts";
import { userInfo } from "#cluster/apiserver/auth/reviews.ts";
import type { AdmissionRequest, RegistryContext } from "#cluster/apiserver/registry/context.ts";
import { isObject, stringAt } from "#cluster/apiserver/schema/json.ts";
import { callWebhook } from "./webhook-client.ts";

const DEFAULT_TIMEOUT_SECONDS = 10;
/** Warnings are headers: a webhook that has more to say is cut short. */
const MAX_WARNINGS = 32;

/**
 * Asks a webhook, with the object in one of its served versions. Undefined when it fails and may be
 * ignored; throws when it refuses, or fails and must not.
 */
export async function consult(
  context: RegistryContext,
  webhook: MutatingWebhook | ValidatingWebhook,
  { request, version }: { request: AdmissionRequest; version: string },
): Promise<Record<string, unknown> | undefined> {
  const { name, clientConfig, timeoutSeconds = DEFAULT_TIMEOUT_SECONDS } = webhook;
  let response: Record<string, unknown>;
  try {
    response = await callWebhook(context, {
      clientConfig,
      review: {
        kind: "AdmissionReview",
        apiVersion: "admission.k8s.io/v1",
        request: requestOf(request, version),
      },
      timeoutMs: timeoutSeconds * 1000,
      signal: request.signal,
    });
  } catch (error) {
    failed(webhook, request, error instanceof Error ? error.message : String(error));
    return undefined;
  }
  if (Array.isArray(response.warnings)) {
    request.warnings.push(...response.warnings.slice(0, MAX_WARNINGS).map(String));
  }
  if (response.allowed !== true) throw denial(name, response.status);
  return response;
}

/** Throws, or warns where the webhook may be left out. */
export function failed(
  { name, failurePolicy }: MutatingWebhook | ValidatingWebhook,
  request: AdmissionRequest,
  why: string,
): void {
  const message = `failed calling webhook "${name}": ${why}`;
  if (failurePolicy !== "Ignore") throw statusError("InternalError", message);
  request.warnings.push(message);
}

/** With the webhook's own code, reason and causes, if it names any. */
function denial(name: string, status: unknown): Error {
  const message = stringAt(status, "message") || stringAt(status, "reason");
  const why = message === "" ? " without explanation" : `: ${message}`;
  const reason = stringAt(status, "reason");
  const known: StatusReason = reason in REASON_CODES ? (reason as StatusReason) : "Forbidden";
  const denied = statusError(known, `admission webhook "${name}" denied the request${why}`);
  if (!isObject(status)) return denied;
  const { code, details } = status;
  return new StatusError({
    ...denied.status,
    ...(isObject(details) ? { details } : {}),
    ...(typeof code === "number" && code >= 400 && code < 600 ? { code } : {}),
  });
}

/** The request as a review carries it. */
export function requestOf(request: AdmissionRequest, version: string): Record<string, unknown> {
  const { kind, name, namespace, operation, subresource, dryRun, old } = request;
  const { group } = kind;
  const asked = kind.version;
  const seen = (object: object): object =>
    version === asked ? object : { ...object, apiVersion: `${group}/${version}` };
  return {
    uid: randomUUID(),
    kind: { group, version, kind: kind.kind },
    resource: { group, version, resource: kind.plural },
    requestKind: { group, version: asked, kind: kind.kind },
    requestResource: { group, version: asked, resource: kind.plural },
    ...(subresource === "" ? {} : { subResource: subresource, requestSubResource: subresource }),
    name: name === "" ? (request.object.metadata.name ?? "") : name,
    ...(namespace === "" ? {} : { namespace }),
    operation,
    userInfo: userInfo(request.user),
    object: operation === "DELETE" ? null : seen(withOwners(request)),
    oldObject: old === undefined ? null : seen(old),
    dryRun,
    options: null,
  };
}

function withOwners({ object, owners = [] }: AdmissionRequest): object {
  if (owners.length === 0) return object;
  return { ...object, metadata: { ...object.metadata, managedFields: owners } };
}
