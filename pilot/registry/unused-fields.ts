/** Fields that an object may have and that nothing follows: told, so that nobody trusts in them. */

import type { AnyConfigObject, ConfigKind } from "#pilot/model/object.ts";
import type { Problem } from "#pilot/model/problem.ts";

const ISTIO_TOO = "has no effect here, nor in Istio";

const SAID_ONCE = `${ISTIO_TOO}: say caCertificates once, beside tlsCertificates`;
const NO_REGISTRATION = "has no effect: workloads don't register by themselves";

const OWN_NAMESPACE = "has no effect: targets are those of the object's own namespace";

/** By kind: the path below the spec, `*` for each element of a list, and what is true instead. */
const UNUSED: { readonly [K in ConfigKind]?: readonly (readonly [string, string])[] } = {
  VirtualService: [
    ["tcp.*.match.*.sourceSubnet", `${ISTIO_TOO}: use sourceLabels or sourceNamespace`],
  ],
  Gateway: [
    ["servers.*.defaultEndpoint", `${ISTIO_TOO}: route by a VirtualService`],
    ["servers.*.tls.tlsCertificates.*.caCertificates", SAID_ONCE],
    ["servers.*.port.targetPort", `${ISTIO_TOO}: the Service of the gateway says its target port`],
  ],
  Sidecar: [
    ["ingress.*.tls.tlsCertificates.*.caCertificates", SAID_ONCE],
    ["ingress.*.tls.httpsRedirect", `${ISTIO_TOO}: only gateways redirect`],
  ],
  WorkloadGroup: [
    ["metadata.labels", NO_REGISTRATION],
    ["metadata.annotations", NO_REGISTRATION],
    ["probe", NO_REGISTRATION],
  ],
  Telemetry: [
    ["targetRef.namespace", OWN_NAMESPACE],
    ["targetRefs.*.namespace", OWN_NAMESPACE],
  ],
  EnvoyFilter: [
    ["targetRefs.*.namespace", OWN_NAMESPACE],
    ["configPatches.*.match.waypoint", "there are no waypoints: it matches nothing"],
    ["configPatches.*.patch.filterClass", `${ISTIO_TOO}: say the place by the operation`],
  ],
};

/** One problem for each such field that the object has. */
export function problemsOfUnusedFields(config: AnyConfigObject): readonly Problem[] {
  return (UNUSED[config.kind] ?? []).flatMap(([path, message]) =>
    placesOf(config.spec, path.split("."), "spec").map((place): Problem => ({
      object: config.key,
      path: place,
      severity: "warning",
      reason: "NoEffect",
      message,
    })),
  );
}

function placesOf(value: unknown, steps: readonly string[], at: string): string[] {
  const [step, ...rest] = steps;
  if (value === undefined || value === null || value === "") return [];
  if (step === undefined) return [at];
  if (step === "*") {
    const list: readonly unknown[] = Array.isArray(value) ? value : [];
    return list.flatMap((one, index) => placesOf(one, rest, `${at}[${index}]`));
  }
  if (typeof value !== "object" || !Object.hasOwn(value, step)) return [];
  return placesOf(Reflect.get(value, step), rest, `${at}.${step}`);
}
