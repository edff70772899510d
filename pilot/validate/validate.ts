/**
 * What an API server should answer to an object of Istio's kinds: what can never work is refused, what
 * has no effect in the world of now is warned of. Pure: the world is given, and stays as it is.
 */

import { httpRouteFindings } from "./http-route.ts";
import { intrinsicProblems } from "./intrinsic.ts";
import { referenceProblems } from "./references.ts";
import { smallWorld } from "./small-world.ts";
import { translationProblems } from "./translation.ts";
import type { KubeObject } from "#cluster/api/meta.ts";
import type { IrProblem } from "#pilot/ir/scope-ir.ts";
import { objectKey } from "#pilot/model/name.ts";
import type { AnyConfigObject } from "#pilot/model/object.ts";
import type { PushContext } from "#pilot/model/push-context.ts";
import { HTTP_ROUTES } from "#pilot/registry/gateway-api.ts";
import { Registry } from "#pilot/registry/registry.ts";
import { unsupportedReason } from "#pilot/registry/unsupported.ts";

export interface Finding {
  /** From the object: `spec.http[0].timeout`; empty for the whole of it. */
  readonly path: string;
  readonly reason: string;
  readonly message: string;
}

export interface Verdict {
  readonly errors: readonly Finding[];
  readonly warnings: readonly Finding[];
}

/** Problems of translation that no other object can mend. */
const NEVER = new Set(["NoPercentage", "NoPrefixMatch", "UnknownStatus", "NeedsSelector"]);
const NEVER_LIKE = /^(Malformed|Invalid|Duplicate)/;

/** Of an object as it would be stored. Kinds that nobody here knows have nothing wrong with them. */
export function validateObject(context: PushContext, given: KubeObject): Verdict {
  const { apiVersion = "", kind = "", metadata } = given;
  const unsupported = unsupportedReason(apiVersion, kind);
  if (unsupported !== undefined) {
    const warning = { path: "", reason: "NotSupportedYet", message: unsupported };
    return { errors: [], warnings: [warning] };
  }
  if (kind === HTTP_ROUTES.kind && apiVersion.startsWith(`${HTTP_ROUTES.group}/`)) {
    return { errors: [], warnings: httpRouteFindings(context, given) };
  }
  const object = {
    ...given,
    // A name that is yet to be made, and the age of what doesn't exist yet: the youngest of all.
    metadata: {
      ...metadata,
      name: metadata.name === "" ? "new" : metadata.name,
      creationTimestamp: metadata.creationTimestamp ?? YOUNGEST,
    },
  };
  const key = objectKey(kind, object.metadata.namespace ?? "default", object.metadata.name);
  const registry = new Registry({ mesh: context.mesh });
  const changes = registry.handle({ type: "upsert", object });
  const config = changes
    .flatMap((change) => (change.type === "upsert" ? [change.object] : []))
    .find((one): one is AnyConfigObject => one.key === key && "spec" in one);
  const found: IrProblem[] = [...registry.problems()];
  if (config !== undefined) {
    const world = smallWorld(context, config, changes);
    // What translation says of the same place is more to the point.
    found.push(...referenceProblems(context, config), ...intrinsicProblems(config));
    found.push(...translationProblems(world, config));
  }
  return verdictOf(found.filter((problem) => problem.object === key));
}

const YOUNGEST = "9999-12-31T23:59:59Z";

function verdictOf(problems: readonly IrProblem[]): Verdict {
  const byPlace = new Map(problems.map((one) => [`${one.path} ${one.reason}`, one]));
  const errors: Finding[] = [];
  const warnings: Finding[] = [];
  for (const { path, severity, reason, message } of byPlace.values()) {
    const never = severity === "error" && (NEVER.has(reason) || NEVER_LIKE.test(reason));
    (never ? errors : warnings).push({ path, reason, message });
  }
  return { errors, warnings };
}
