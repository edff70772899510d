/** `pods/NAME/log`: asks the kubelet and passes on what it says, at the client's pace. */

import type { IncomingMessage } from "node:http";
import { Agent, request as httpsRequest } from "node:https";
import type { SecureContextOptions } from "node:tls";
import type { Pod } from "#cluster/api/generated/core-v1.ts";
import { StatusError, statusError, type Status } from "#cluster/api/status-error.ts";
import type { RegistryContext } from "#cluster/apiserver/registry/context.ts";
import { isObject } from "#cluster/apiserver/schema/json.ts";
import type { Answer } from "#cluster/apiserver/server/answer.ts";
import type { Output } from "#cluster/apiserver/server/output.ts";
import type { ResourceRequest } from "#cluster/apiserver/server/request.ts";
import { containerOf, kubeletOf, type KubeletAddress } from "./kubelet-address.ts";

/** PodLogOptions that kubelets understand; the container is part of the path. */
const PARAMETERS = [
  "follow",
  "previous",
  "sinceSeconds",
  "sinceTime",
  "timestamps",
  "tailLines",
  "limitBytes",
];
const ANSWER_TIMEOUT_MS = 30_000;
const MAX_ERROR_BYTES = 64 * 1024;

/** `tls` has our client certificate and the CA of the kubelets. */
export function createPodLog(
  context: RegistryContext,
  tls: SecureContextOptions,
): (request: ResourceRequest, pod: Readonly<Pod>) => Answer {
  const agent = new Agent({ ...tls, keepAlive: true, maxFreeSockets: 8 });
  return (request, pod) => {
    const kubelet = kubeletOf(context, pod);
    const container = containerOf(pod, request.query.get("container") ?? "");
    const query = new URLSearchParams();
    for (const name of PARAMETERS) {
      const value = request.query.get(name);
      if (value !== null && value !== "") query.set(name, value);
    }
    const { namespace = "", name } = pod.metadata;
    const at = [namespace, name, container].map(encodeURIComponent).join("/");
    const path = `/containerLogs/${at}?${query.toString()}`;
    return {
      kind: "stream",
      run: (output) => pass({ agent, kubelet, path, signal: request.signal }, output),
    };
  };
}

interface LogRequest {
  agent: Agent;
  kubelet: KubeletAddress;
  path: string;
  signal: AbortSignal;
}

async function pass(request: LogRequest, output: Output): Promise<void> {
  const response = await ask(request);
  if (response.statusCode !== 200) throw await errorOf(request.kubelet, response);
  output.head(200, { "content-type": "text/plain", "cache-control": "no-cache, private" });
  output.flushHead();
  for await (const chunk of response) {
    output.write(chunk as Buffer);
    await output.drained();
  }
  output.end();
}

function ask({ agent, kubelet, path, signal }: LogRequest): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const { host, port, nodeName } = kubelet;
    const request = httpsRequest({ agent, host, port, path, signal, servername: "" });
    request.setTimeout(ANSWER_TIMEOUT_MS, () => request.destroy(new Error("timed out")));
    request.on("error", (cause) => {
      const message = `kubelet of node ${nodeName} (${host}:${port}): ${cause.message}`;
      reject(statusError("ServiceUnavailable", message));
    });
    request.on("response", (response) => {
      // A followed log may be silent for as long as it likes.
      request.setTimeout(0);
      resolve(response);
    });
    request.end();
  });
}

/** Kubelets answer with a Status or with plain text. */
async function errorOf(kubelet: KubeletAddress, response: IncomingMessage): Promise<Error> {
  let text = "";
  for await (const chunk of response) {
    text += String(chunk);
    if (text.length > MAX_ERROR_BYTES) break;
  }
  const status = parseStatus(text);
  if (status !== undefined) return new StatusError(status);
  const reason =
    response.statusCode === 404
      ? "NotFound"
      : response.statusCode === 400
        ? "BadRequest"
        : "InternalError";
  return statusError(reason, text.trim() || `kubelet of node ${kubelet.nodeName} failed`);
}

function parseStatus(text: string): Status | undefined {
  if (!text.startsWith("{")) return undefined;
  try {
    const parsed: unknown = JSON.parse(text);
    return isObject(parsed) && parsed.kind === "Status" ? (parsed as unknown as Status) : undefined;
  } catch {
    // Text that only looks like JSON is passed on as it is.
    return undefined;
  }
}
