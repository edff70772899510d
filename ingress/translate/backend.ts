/** An Ingress backend → where a route sends its requests. */

import type { Service } from "#cluster/api/generated/core-v1.ts";
import type { IngressBackend } from "#cluster/api/generated/networking-v1.ts";
import type { HTTPRoute } from "#crds/types/networking-v1.ts";

/** A backend that can't be resolved still has a route: one that answers 503. */
export type BackendResult =
  | { ok: true; route: Pick<HTTPRoute, "route"> }
  | {
      ok: false;
      route: Pick<HTTPRoute, "route" | "directResponse">;
      reason: string;
      message: string;
    };

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
  const host = `${target.name}.${namespace}.svc.${input.clusterDomain}`;
  if (service === undefined) {
    const message = `Service ${namespace}/${target.name} doesn't exist`;
    const result = unresolved("UnknownService", message);
    const number = target.port?.number;
    // As Istio: to where it will be, which answers 503 until then.
    return number === undefined ? result : { ...result, route: routeTo(host, number) };
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
  return { ok: true, route: routeTo(host, port.port) };
}

function routeTo(host: string, number: number): Pick<HTTPRoute, "route"> {
  return { route: [{ destination: { host, port: { number } }, weight: 100 }] };
}

function unresolved(reason: string, message: string): BackendResult {
  return { ok: false, route: { directResponse: { status: 503 } }, reason, message };
}
