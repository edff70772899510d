/** Random HTTPRoutes for the services of random worlds. */

import type { KubeObject } from "#cluster/api/meta.ts";

const NAMESPACES = ["default", "other", "istio-system"];
const NAMES = ["a", "b", "c", "d"];

/** One of a few names; attached to one or two services, or to ServiceEntries, that may not be. */
export function randomRoute(random: (below: number) => number): KubeObject {
  const pick = <T>(list: readonly T[]): T => list[random(list.length)]!;
  const parent = (): object => ({
    ...pick([
      { group: "", kind: "Service" },
      { group: "", kind: "Service" },
      { group: "networking.istio.io", kind: "ServiceEntry" },
    ]),
    name: pick(NAMES),
    ...(random(2) === 0 ? {} : { namespace: pick(NAMESPACES) }),
    ...(random(3) === 0 ? { port: pick([80, 90]) } : {}),
  });
  const backend = (): object =>
    random(4) === 0
      ? { group: "networking.istio.io", kind: "Hostname", name: "x.example.org", port: 80 }
      : { name: pick(NAMES), namespace: pick(NAMESPACES), port: pick([80, 90]), weight: random(3) };
  return {
    apiVersion: "gateway.networking.k8s.io/v1",
    kind: "HTTPRoute",
    metadata: {
      name: pick(NAMES),
      namespace: pick(NAMESPACES),
      creationTimestamp: `2026-01-0${1 + random(3)}T00:00:00Z`,
    },
    spec: {
      parentRefs: Array.from({ length: 1 + random(2) }, parent),
      rules: Array.from({ length: 1 + random(2) }, () => ({
        ...(random(2) === 0 ? {} : { matches: [{ path: { value: pick(["/", "/x", "/x/y"]) } }] }),
        backendRefs: Array.from({ length: random(3) }, backend),
      })),
    },
  };
}
