/** The image of a container by its pull policy, with the kubelet's events and reasons. */

import type { Container, Pod } from "#cluster/api/generated/core-v1.ts";
import { type Image, ImageError } from "#cluster/runtime/image.ts";
import { parseImageReference } from "#cluster/runtime/reference.ts";
import type { RegistryCredentials } from "#cluster/runtime/registry.ts";
import type { PodContext } from "./pod-context.ts";
import { podIdentity } from "./pod-parts.ts";

export interface Waiting {
  reason: string;
  message: string;
  /** When to try again. */
  retryMs: number;
}

export type ImageResult = { ok: true; image: Image } | { ok: false; waiting: Waiting };

const INVALID_RETRY_MS = 60_000;

/** Finds or pulls the image; while a failed pull waits, the reason is ImagePullBackOff. */
export async function ensureImage(
  context: PodContext,
  pod: Pod,
  container: Container,
  signal: AbortSignal,
): Promise<ImageResult> {
  const { events, runtime, pulls } = context;
  const name = container.image ?? "";
  const at = { pod, name: container.name };
  const key = `${podIdentity(pod).uid}/${name}`;
  const policy = pullPolicy(container);
  try {
    const local = await runtime.images.findLocal(name);
    const isPresent = local !== undefined && (policy !== "Always" || local.root.kind === "host");
    if (isPresent) {
      const message = `Container image "${name}" already present on machine`;
      events.container(at, "Normal", "Pulled", message);
      return { ok: true, image: local };
    }
    if (policy === "Never") {
      const message = `Container image "${name}" is not present with pull policy of Never`;
      events.container(at, "Warning", "ErrImageNeverPull", message);
      return failed("ErrImageNeverPull", message, INVALID_RETRY_MS);
    }
    const waitMs = pulls.remainingMs(key, Date.now());
    if (waitMs > 0) {
      const message = `Back-off pulling image "${name}"`;
      events.container(at, "Normal", "BackOff", message);
      return failed("ImagePullBackOff", message, waitMs);
    }
    events.container(at, "Normal", "Pulling", `Pulling image "${name}"`);
    const startedMs = Date.now();
    const credentials = pullCredentials(context, pod);
    const refresh = policy === "Always";
    const image = await runtime.images.ensure({ reference: name, refresh, credentials, signal });
    const took = `${Date.now() - startedMs}ms`;
    const size = `Image size: ${image.sizeBytes} bytes.`;
    const message = `Successfully pulled image "${name}" in ${took} (${took} including waiting). ${size}`;
    events.container(at, "Normal", "Pulled", message);
    return { ok: true, image };
  } catch (error) {
    if (!(error instanceof ImageError)) throw error;
    return pullFailed(context, at, { key, name, error });
  }
}

function pullFailed(
  context: PodContext,
  at: { pod: Pod; name: string },
  failure: { key: string; name: string; error: ImageError },
): ImageResult {
  const { key, name, error } = failure;
  if (error.reason === "InvalidImageName") {
    const message = `Failed to apply default image tag "${name}": ${error.message}`;
    context.events.container(at, "Warning", "InspectFailed", message);
    context.events.container(at, "Warning", "Failed", "Error: InvalidImageName");
    return failed("InvalidImageName", message, INVALID_RETRY_MS);
  }
  context.pulls.lengthen(key, Date.now());
  const message = `Failed to pull image "${name}": ${error.message}`;
  context.events.container(at, "Warning", "Failed", message);
  context.events.container(at, "Warning", "Failed", `Error: ${error.reason}`);
  return failed(error.reason, error.message, context.pulls.remainingMs(key, Date.now()));
}

function failed(reason: string, message: string, retryMs: number): ImageResult {
  // ErrImagePull is shown once; the next look says that it waits.
  const soon = reason === "ErrImagePull" ? Math.min(retryMs, 5000) : retryMs;
  return { ok: false, waiting: { reason, message, retryMs: soon } };
}

function pullPolicy(container: Container): "Always" | "IfNotPresent" | "Never" {
  const { imagePullPolicy: policy } = container;
  if (policy === "Always" || policy === "Never" || policy === "IfNotPresent") return policy;
  const parsed = parseImageReference(container.image ?? "");
  return parsed.ok && parsed.reference.tag === "latest" ? "Always" : "IfNotPresent";
}

/** Registry credentials of the pod's imagePullSecrets (kubernetes.io/dockerconfigjson). */
function pullCredentials(context: PodContext, pod: Pod): Map<string, RegistryCredentials> {
  const credentials = new Map<string, RegistryCredentials>();
  const { namespace } = podIdentity(pod);
  for (const { name = "" } of pod.spec?.imagePullSecrets ?? []) {
    const encoded = context.objects.secret(namespace, name)?.data?.[".dockerconfigjson"];
    if (encoded === undefined) continue;
    for (const [host, entry] of dockerAuths(encoded)) credentials.set(host, entry);
  }
  return credentials;
}

function dockerAuths(encoded: string): [string, RegistryCredentials][] {
  let document: { auths?: Record<string, { username?: string; password?: string; auth?: string }> };
  try {
    document = JSON.parse(Buffer.from(encoded, "base64").toString("utf8")) as typeof document;
  } catch {
    // A malformed secret is as good as none: the registry's answer tells.
    return [];
  }
  return Object.entries(document.auths ?? {}).flatMap(([server, entry]) => {
    const decoded = Buffer.from(entry.auth ?? "", "base64").toString("utf8");
    const colon = decoded.indexOf(":");
    const username = entry.username ?? (colon < 0 ? undefined : decoded.slice(0, colon));
    const password = entry.password ?? (colon < 0 ? undefined : decoded.slice(colon + 1));
    if (username === undefined || password === undefined) return [];
    const host = server.replace(/^https?:\/\//, "").split("/")[0] ?? server;
    const registry = host === "index.docker.io" ? "docker.io" : host;
    return [[registry, { username, password }]];
  });
}
