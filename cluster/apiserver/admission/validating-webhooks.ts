/** Asks the webhooks of ValidatingWebhookConfigurations, all at once, about what will be stored. */

import { VALIDATING_WEBHOOKS } from "#cluster/api/resources.ts";
import type { AdmissionPlugin } from "#cluster/apiserver/registry/context.ts";
import { allObjects } from "#cluster/apiserver/registry/read.ts";
import { matchedVersion } from "./webhook-match.ts";
import { consult } from "./webhook-review.ts";

export const VALIDATING_WEBHOOKS_ADMISSION: AdmissionPlugin = {
  name: "ValidatingAdmissionWebhook",
  async validate(request, context) {
    const configurations = allObjects(context, VALIDATING_WEBHOOKS);
    if (configurations.length === 0) return;
    const consulted = configurations
      .flatMap(({ webhooks }) => webhooks ?? [])
      .flatMap((webhook) => {
        const version = matchedVersion(context, webhook, request);
        return version === undefined ? [] : [consult(context, webhook, { request, version })];
      });
    // All are heard, so that each one's warnings are told; the first refusal in order counts.
    const answers = await Promise.allSettled(consulted);
    for (const answer of answers) if (answer.status === "rejected") throw answer.reason;
  },
};
