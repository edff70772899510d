/** Kubernetes' words for what goes wrong with an object (apimachinery `api/errors`). */

import { statusError, type StatusError } from "#cluster/api/status-error.ts";
import type { Kind } from "#cluster/apiserver/kinds/kind.ts";
import type { FieldProblem } from "#cluster/apiserver/schema/schema.ts";

type KindName = Pick<Kind, "group" | "kind" | "plural">;

/** `pods`, or `deployments.apps`. */
export function groupResource(kind: { group: string; plural: string }): string {
  return kind.group === "" ? kind.plural : `${kind.plural}.${kind.group}`;
}

function details(kind: KindName, name: string): { name: string; group?: string; kind: string } {
  return { name, ...(kind.group === "" ? {} : { group: kind.group }), kind: kind.plural };
}

export function notFound(kind: KindName, name: string): StatusError {
  return statusError("NotFound", `${groupResource(kind)} "${name}" not found`, details(kind, name));
}

/**
 * There is no such kind, path or subresource. The details are empty but there: kubectl debug looks
 * into them without asking.
 */
export function noSuchResource(): StatusError {
  return statusError("NotFound", "the server could not find the requested resource", {});
}

export function alreadyExists(kind: KindName, name: string): StatusError {
  return statusError(
    "AlreadyExists",
    `${groupResource(kind)} "${name}" already exists`,
    details(kind, name),
  );
}

/** `why` defaults to a stale resourceVersion. */
export function conflict(
  kind: KindName,
  name: string,
  why = "the object has been modified; please apply your changes to the latest version and try again",
): StatusError {
  return statusError(
    "Conflict",
    `Operation cannot be fulfilled on ${groupResource(kind)} "${name}": ${why}`,
    details(kind, name),
  );
}

export function forbidden(kind: KindName, name: string, why: string): StatusError {
  const object = name === "" ? groupResource(kind) : `${groupResource(kind)} "${name}"`;
  return statusError("Forbidden", `${object} is forbidden: ${why}`, details(kind, name));
}

export function methodNotAllowed(method: string): StatusError {
  return statusError(
    "MethodNotAllowed",
    `the server does not allow this method on the requested resource: ${method}`,
  );
}

/** The revision asked for is older than the history kept: clients list again. */
export function expired(oldest: number, asked: number): StatusError {
  return statusError("Expired", `too old resource version: ${asked} (${oldest})`);
}

export function invalid(
  kind: KindName,
  name: string,
  problems: readonly FieldProblem[],
): StatusError {
  const texts = problems.map((problem) => `${problem.field}: ${problem.message}`);
  const text = texts.length === 1 ? texts[0] : `[${texts.join(", ")}]`;
  const full = kind.group === "" ? kind.kind : `${kind.kind}.${kind.group}`;
  return statusError("Invalid", `${full} "${name}" is invalid: ${text}`, {
    ...details(kind, name),
    kind: kind.kind,
    causes: problems.map(({ field, reason, message }) => ({ field, reason, message })),
  });
}
