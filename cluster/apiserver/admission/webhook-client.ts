/** Calls a webhook with an AdmissionReview over HTTPS (admission.k8s.io/v1). */

import { request as httpsRequest } from "node:https";
import { isIP } from "node:net";
import { checkServerIdentity } from "node:tls";
import type { WebhookClientConfig } from "#cluster/api/generated/admissionregistration-v1.ts";
import { ENDPOINTS, SERVICES } from "#cluster/api/resources.ts";
import type { RegistryContext } from "#cluster/apiserver/registry/context.ts";
import { findObject } from "#cluster/apiserver/registry/read.ts";
import { isObject } from "#cluster/apiserver/schema/json.ts";

const MAX_ANSWER_BYTES = 8 * 1024 * 1024;

export interface WebhookCall {
  clientConfig: WebhookClientConfig;
  review: object;
  timeoutMs: number;
  signal: AbortSignal;
}

/** The `response` of the answered review; throws with the reason when there is none. */
export async function callWebhook(
  context: RegistryContext,
  call: WebhookCall,
): Promise<Record<string, unknown>> {
  const target = targetOf(context, call.clientConfig);
  const body = JSON.stringify(call.review);
  const signal = AbortSignal.any([call.signal, AbortSignal.timeout(call.timeoutMs)]);
  const { code, text } = await post(target, { body, ca: call.clientConfig.caBundle, signal });
  if (code !== 200) throw new Error(`${target.url.href} answered ${code}: ${text.slice(0, 200)}`);
  const answer: unknown = JSON.parse(text);
  const response = isObject(answer) ? answer.response : undefined;
  if (!isObject(response)) throw new Error(`${target.url.href} answered without a response`);
  return response;
}

interface Target {
  url: URL;
  /** Whose certificate the server must have. */
  serverName: string;
}

function targetOf(context: RegistryContext, config: WebhookClientConfig): Target {
  if (config.url !== undefined) {
    const url = new URL(config.url);
    if (url.protocol !== "https:") throw new Error(`${config.url}: webhooks are called by https`);
    return { url, serverName: url.hostname };
  }
  const { service } = config;
  if (service === undefined) throw new Error("clientConfig has neither url nor service");
  const { namespace, name, port = 443, path = "/" } = service;
  const url = new URL(`https://${serviceAddress(context, { namespace, name, port })}`);
  const [pathname = "/", search = ""] = path.split("?");
  url.pathname = pathname;
  url.search = search;
  return { url, serverName: `${name}.${namespace}.svc` };
}

/**
 * An endpoint of the Service, not its ClusterIP: the API server may run where nothing forwards
 * service addresses, and a webhook without endpoints fails at once.
 */
function serviceAddress(
  context: RegistryContext,
  at: { namespace: string; name: string; port: number },
): string {
  const id = `service ${at.namespace}/${at.name}`;
  const service = findObject(context, SERVICES, at);
  const port = service?.spec?.ports?.find((candidate) => candidate.port === at.port);
  if (service === undefined) throw new Error(`${id} not found`);
  if (port === undefined) throw new Error(`${id} has no port ${at.port}`);
  const endpoints = findObject(context, ENDPOINTS, at);
  for (const subset of endpoints?.subsets ?? []) {
    const target = subset.ports?.find((candidate) => (candidate.name ?? "") === (port.name ?? ""));
    const [address] = subset.addresses ?? [];
    if (target !== undefined && address !== undefined) return `${address.ip}:${target.port}`;
  }
  throw new Error(`no endpoints available for ${id}`);
}

function post(
  { url, serverName }: Target,
  options: { body: string; ca: string | undefined; signal: AbortSignal },
): Promise<{ code: number; text: string }> {
  return new Promise((resolve, reject) => {
    const request = httpsRequest(url, {
      method: "POST",
      // An address is no server name (RFC 6066).
      servername: isIP(serverName) > 0 ? "" : serverName,
      // Certificates say the service's name, whichever address was dialled.
      checkServerIdentity: (_, certificate) => checkServerIdentity(serverName, certificate),
      ca: options.ca === undefined ? undefined : Buffer.from(options.ca, "base64"),
      headers: { "content-type": "application/json", accept: "application/json" },
      signal: options.signal,
    });
    request.on("error", reject);
    request.on("response", (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => {
        text += chunk;
        if (text.length > MAX_ANSWER_BYTES) request.destroy(new Error("the answer is too long"));
      });
      response.on("error", reject);
      response.on("end", () => resolve({ code: response.statusCode ?? 0, text }));
    });
    request.end(options.body);
  });
}
