/** An Ingress backend → where a route sends its requests. */

import type { Service } from "#cluster/api/generated/core-v1.ts";
import type { IngressBackend } from "#cluster/api/generated/networking-v1.ts";
import type { HTTPRoute } from "#crds/types/networking-v1.ts";

/** A backend that can't be resolved still has a route: one that answers 503. */
export type BackendResult =
  | { ok: true; route: Pick<HTTPRoute, "route"> }
  | { ok: false; route: Pick<HTTPRoute, "directResponse">; reason: string; message: string };

interface BackendInput {
  readonly services: readonly Service[];
  readonly clusterDomain: string;
}

/** A port by number is taken as it is; a name is looked up in the Service. */
export function backendRoute(
  backend: IngressBackend,
  namespace: string,
  input: BackendInput,
): BackendResult {
  const target = backend.service;
  if (target === undefined) {
    return unresolved("UnsupportedBackend", "only Services can be backends, no resource");
  }
  const service = input.services.find(
    ({ metadata }) => metadata.name === target.name && metadata.namespace === namespace,
  );
  if (service === undefined) {
    return unresolved("UnknownService", `Service ${namespace}/${target.name} doesn't exist`);
  }
  const ports = service.spec?.ports ?? [];
  const { name, number } = target.port ?? {};
  const port = ports.find((one) => (name === undefined ? one.port === number : one.name === name));
  if (port === undefined) {
    const known = ports.map((one) => `${one.port}${one.name ? ` (${one.name})` : ""}`).join(", ");
    const wanted = name ?? String(number);
    return unresolved(
      "UnknownPort",
      `Service ${namespace}/${target.name} has no port ${wanted}; it has ${known || "none"}`,
    );
  }
  const host = `${target.name}.${namespace}.svc.${input.clusterDomain}`;
  const destination = { host, port: { number: port.port } };
  return { ok: true, route: { route: [{ destination, weight: 100 }] } };
}

function unresolved(reason: string, message: string): BackendResult {
  return { ok: false, route: { directResponse: { status: 503 } }, reason, message };
}
