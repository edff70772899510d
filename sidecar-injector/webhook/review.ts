/** AdmissionReview in, AdmissionReview out: parses what the API server sent and calls `inject`. */

import type { AdmissionResponse, AdmissionReview } from "#cluster/api/generated/admission-v1.ts";
import type { Status } from "#cluster/api/status-error.ts";
import type { PodInput } from "#sidecar-injector/inject/pod-input.ts";
import { type Injection, inject } from "#sidecar-injector/inject/inject.ts";
import type { InjectionSettings } from "./injection-settings.ts";

/** What the request's URL says, as Istio's webhooks for several clusters have it. */
export interface ReviewTarget {
  cluster?: string;
  network?: string;
}

export type ReviewResult =
  | { ok: true; review: AdmissionReview; log: string }
  /** No AdmissionReview v1 of a pod: the HTTP answer is 400 with this message. */
  | { ok: false; message: string };

/** `/inject`, `/inject/cluster/CLUSTER/net/NETWORK`; undefined for every other path. */
export function reviewTarget(path: string): ReviewTarget | undefined {
  const [, root, ...parts] = path.split("/");
  if (root !== "inject" || parts.length % 2 === 1) return undefined;
  const target: ReviewTarget = {};
  for (let at = 0; at < parts.length; at += 2) {
    const value = decode(parts[at + 1] ?? "");
    if (value === undefined) return undefined;
    if (parts[at] === "cluster") target.cluster = value;
    else if (parts[at] === "net") target.network = value;
    else return undefined;
  }
  return target;
}

/** A name of a cluster or network, of which labels are made. */
function decode(text: string): string | undefined {
  return /^[a-zA-Z0-9](?:[-_.a-zA-Z0-9]{0,61}[a-zA-Z0-9])?$/.test(text) ? text : undefined;
}

/** Answers one review. A refusal carries a Status that names every wrong field. */
export function answerReview(
  body: unknown,
  settings: InjectionSettings,
  target: ReviewTarget = {},
): ReviewResult {
  if (!isRecord(body) || body.apiVersion !== "admission.k8s.io/v1") {
    return { ok: false, message: "the body must be an admission.k8s.io/v1 AdmissionReview" };
  }
  const { request } = body;
  if (!isRecord(request) || typeof request.uid !== "string") {
    return { ok: false, message: "the review has no request with a uid" };
  }
  const { uid, object, namespace } = request;
  if (!isPod(object)) return { ok: false, message: "request.object must be a Pod with containers" };
  const at = typeof namespace === "string" ? namespace : (object.metadata?.namespace ?? "default");
  const { cluster, network } = target;
  const result = inject(object, {
    namespace: at,
    config: { ...settings.config, ...(cluster !== undefined && { clusterId: cluster }) },
    proxyConfigs: settings.proxyConfigs(at, object.metadata?.labels ?? {}),
    ...(network !== undefined && { network }),
  });
  const name = object.metadata?.name ?? `${object.metadata?.generateName ?? ""}*`;
  return {
    ok: true,
    review: {
      apiVersion: "admission.k8s.io/v1",
      kind: "AdmissionReview",
      response: { uid, ...responseOf(result) },
    },
    log: `${at}/${name}: ${describe(result)}`,
  };
}

function responseOf(result: Injection): AdmissionResponse {
  if (result.kind === "skipped") return { allowed: true };
  if (result.kind === "refused") return { allowed: false, status: refusal(result.problems) };
  return {
    allowed: true,
    // kubectl shows them to whoever creates the pod.
    ...(result.warnings.length > 0 && { warnings: result.warnings }),
    patchType: "JSONPatch",
    patch: Buffer.from(JSON.stringify(result.patch), "utf8").toString("base64"),
  };
}

function refusal(problems: readonly { path: string; message: string }[]): Status {
  return {
    kind: "Status",
    apiVersion: "v1",
    metadata: {},
    status: "Failure",
    reason: "Invalid",
    code: 422,
    message: problems.map(({ path, message }) => `${path}: ${message}`).join("; "),
    details: {
      causes: problems.map(({ path, message }) => ({
        reason: "FieldValueInvalid",
        field: path,
        message,
      })),
    },
  };
}

function describe(result: Injection): string {
  if (result.kind === "refused") return `refused, ${result.problems.length} problem(s)`;
  return `${result.kind}: ${result.reason}`;
}

/** As far as `inject` relies on it; the API server validates the rest after all webhooks. */
function isPod(value: unknown): value is PodInput {
  if (!isRecord(value) || value.kind !== "Pod" || !isRecord(value.spec)) return false;
  const { metadata, spec } = value;
  return (
    isRecord(metadata) &&
    isNamedList(spec.containers) &&
    (spec.initContainers === undefined || isNamedList(spec.initContainers)) &&
    (spec.volumes === undefined || isNamedList(spec.volumes)) &&
    isTextMap(metadata.labels) &&
    isTextMap(metadata.annotations)
  );
}

function isNamedList(value: unknown): boolean {
  return (
    Array.isArray(value) && value.every((item) => isRecord(item) && typeof item.name === "string")
  );
}

function isTextMap(value: unknown): boolean {
  return (
    value === undefined ||
    value === null ||
    (isRecord(value) && Object.values(value).every((text) => typeof text === "string"))
  );
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
