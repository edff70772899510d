/** AdmissionReview in, AdmissionReview out. */

import { validateObject } from "./validate.ts";
import type { Finding, Verdict } from "./validate.ts";
import type { AdmissionResponse, AdmissionReview } from "#cluster/api/generated/admission-v1.ts";
import type { KubeObject } from "#cluster/api/meta.ts";
import type { Status } from "#cluster/api/status-error.ts";
import type { PushContext } from "#pilot/model/push-context.ts";

export type ReviewResult =
  | { ok: true; review: AdmissionReview }
  /** No AdmissionReview v1 of an object: the HTTP answer is 400 with this message. */
  | { ok: false; message: string };

/** Warnings become headers, which API servers cut short beyond this. */
const MAX_WARNINGS = 10;
const MAX_WARNING = 240;

export interface ReviewOptions {
  /** The world of now. */
  readonly context: PushContext;
  readonly log: (line: string) => void;
  /** What looks at an object; default: validateObject. */
  readonly validate?: typeof validateObject;
}

/** Answers one review of an object that the schema has accepted. */
export function answerReview(body: unknown, options: ReviewOptions): ReviewResult {
  if (!isRecord(body) || body["apiVersion"] !== "admission.k8s.io/v1") {
    return { ok: false, message: "the body must be an admission.k8s.io/v1 AdmissionReview" };
  }
  const { request } = body;
  if (!isRecord(request) || typeof request["uid"] !== "string") {
    return { ok: false, message: "the review has no request with a uid" };
  }
  const { uid, operation, object, subResource = "" } = request;
  const looks = (operation === "CREATE" || operation === "UPDATE") && subResource === "";
  const response = looks && isObject(object) ? responseOf(object, options) : { allowed: true };
  return {
    ok: true,
    review: {
      apiVersion: "admission.k8s.io/v1",
      kind: "AdmissionReview",
      response: { uid, ...response },
    },
  };
}

function responseOf(object: KubeObject, options: ReviewOptions): AdmissionResponse {
  // What is on its way out may be changed without being right.
  if (object.metadata.deletionTimestamp !== undefined) return { allowed: true };
  const { errors, warnings } = verdictOf(object, options);
  const told = warnings.slice(0, MAX_WARNINGS).map((one) => textOf(one).slice(0, MAX_WARNING));
  const more = told.length === 0 ? {} : { warnings: told };
  if (errors.length === 0) return { allowed: true, ...more };
  return { allowed: false, status: refusal(object, errors), ...more };
}

/** A bug of ours holds nobody's object up: it is told here, and the object's status tells the rest. */
function verdictOf(object: KubeObject, options: ReviewOptions): Verdict {
  const { context, log, validate = validateObject } = options;
  try {
    return validate(context, object);
  } catch (error) {
    const { kind, metadata } = object;
    const what = JSON.stringify(`${kind} ${metadata.namespace ?? ""}/${metadata.name}`);
    const why = error instanceof Error ? (error.stack ?? error.message) : String(error);
    log(`webhook: ${what.slice(0, MAX_WARNING)} is let in without having been checked: ${why}`);
    const message =
      "it could not be checked, which pilot's log tells; its status will say the rest";
    return { errors: [], warnings: [{ path: "", reason: "NotChecked", message }] };
  }
}

/** With the object's name, by which kubectl says what is invalid. */
function refusal(object: KubeObject, errors: readonly Finding[]): Status {
  return {
    kind: "Status",
    apiVersion: "v1",
    metadata: {},
    status: "Failure",
    reason: "Invalid",
    code: 422,
    message: errors.map(textOf).join("; "),
    details: {
      name: object.metadata.name,
      kind: object.kind,
      group: (object.apiVersion ?? "").split("/")[0],
      causes: errors.map(({ path, message }) => ({
        reason: "FieldValueInvalid",
        field: path,
        message,
      })),
    },
  };
}

function textOf({ path, message }: Finding): string {
  return path === "" ? message : `${path}: ${message}`;
}

function isObject(value: unknown): value is KubeObject {
  return isRecord(value) && isRecord(value["metadata"]) && typeof value["kind"] === "string";
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
