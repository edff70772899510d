/** Asks the webhooks of MutatingWebhookConfigurations, one after the other, and applies patches. */

import type { KubeObject } from "#cluster/api/meta.ts";
import type { MutatingWebhook } from "#cluster/api/generated/admissionregistration-v1.ts";
import { MUTATING_WEBHOOKS } from "#cluster/api/resources.ts";
import { statusError } from "#cluster/api/status-error.ts";
import { applyJsonPatch } from "#cluster/apiserver/patch/json-patch.ts";
import type {
  AdmissionPlugin,
  AdmissionRequest,
  RegistryContext,
} from "#cluster/apiserver/registry/context.ts";
import { allObjects } from "#cluster/apiserver/registry/read.ts";
import { applyDefaults } from "#cluster/apiserver/schema/defaults.ts";
import { isObject } from "#cluster/apiserver/schema/json.ts";
import { pruneUnknown } from "#cluster/apiserver/schema/prune.ts";
import { matchedVersion } from "./webhook-match.ts";
import { consult } from "./webhook-review.ts";

export const MUTATING_WEBHOOKS_ADMISSION: AdmissionPlugin = {
  name: "MutatingAdmissionWebhook",
  async admit(request, context) {
    const webhooks = webhooksOf(context).flatMap((webhook) => {
      const version = matchedVersion(context, webhook, request);
      return version === undefined ? [] : [{ webhook, version }];
    });
    const patchedBy: MatchedWebhook[] = [];
    for (const matched of webhooks) {
      if (await change(context, matched, request)) patchedBy.push(matched);
    }
    const last = patchedBy.at(-1);
    if (last === undefined) return;
    // Once more for those that want to see what came after them.
    for (const matched of webhooks.slice(0, webhooks.indexOf(last))) {
      if (matched.webhook.reinvocationPolicy === "IfNeeded") {
        await change(context, matched, request);
      }
    }
    pruneUnknown(request.kind.schema, request.object);
    applyDefaults(request.kind.schema, request.object);
    request.kind.strategy.applyDefaults?.(request.object);
  },
};

interface MatchedWebhook {
  webhook: MutatingWebhook;
  version: string;
}

/** In order of their configurations' names, as Kubernetes calls them. */
function webhooksOf(context: RegistryContext): MutatingWebhook[] {
  return allObjects(context, MUTATING_WEBHOOKS).flatMap(({ webhooks }) => webhooks ?? []);
}

/** Whether the webhook changed the object. */
async function change(
  context: RegistryContext,
  { webhook, version }: MatchedWebhook,
  request: AdmissionRequest,
): Promise<boolean> {
  const response = await consult(context, webhook, { request, version });
  return response !== undefined && applyPatch(webhook.name, request, response);
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
  const { apiVersion } = request.object;
  request.object = { ...(applied.result as unknown as KubeObject), apiVersion };
  return true;
}
