/** The localhost URLs of the ingress gateway, read off its Service's annotation. */

import { SERVICES } from "#cluster/api/resources.ts";
import { hasReason } from "#cluster/api/status-error.ts";
import type { KubeClient } from "#cluster/client/client.ts";
import { localhostPorts } from "#cluster/localhost/plan.ts";

const GATEWAY = { namespace: "istio-system", name: "istio-ingressgateway" };

/** URLs without a trailing slash; null for a port that isn't on localhost (yet). */
export async function ingressUrls(
  client: KubeClient,
): Promise<{ http: string | null; https: string | null }> {
  const service = await client.get(SERVICES, GATEWAY).catch((error: unknown) => {
    if (hasReason(error, "NotFound")) return undefined;
    throw error;
  });
  const ports = service === undefined ? {} : localhostPorts(service);
  const url = (scheme: string, port: string): string | null =>
    ports[port] === undefined ? null : `${scheme}://127.0.0.1:${ports[port]}`;
  return { http: url("http", "http2"), https: url("https", "https") };
}
