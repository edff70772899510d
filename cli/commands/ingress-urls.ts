/** The localhost URLs of the ingress gateway, read off its Service's annotation. */

import { SERVICES } from "#cluster/api/resources.ts";
import { hasReason } from "#cluster/api/status-error.ts";
import type { KubeClient } from "#cluster/client/client.ts";
import { localhostPorts } from "#cluster/localhost/plan.ts";

const GATEWAY = { namespace: "istio-system", name: "istio-ingressgateway" };

/** URLs without a trailing slash; null for a port that isn't on localhost (yet). */
export interface IngressUrls {
  http: string | null;
  https: string | null;
  /** Answers 200 once the gateway has its configuration. */
  health: string | null;
}

export async function ingressUrls(client: KubeClient): Promise<IngressUrls> {
  const service = await client.get(SERVICES, GATEWAY).catch((error: unknown) => {
    if (hasReason(error, "NotFound")) return undefined;
    throw error;
  });
  const ports = service === undefined ? {} : localhostPorts(service);
  const url = (scheme: string, port: string): string | null =>
    ports[port] === undefined ? null : `${scheme}://127.0.0.1:${ports[port]}`;
  const status = url("http", "status-port");
  return {
    http: url("http", "http2"),
    https: url("https", "https"),
    health: status === null ? null : `${status}/healthz/ready`,
  };
}
