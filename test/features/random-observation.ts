/** Random EnvoyFilters, Telemetry objects and settings, for worlds that change at random. */

import type { KubeObject } from "#cluster/api/meta.ts";

/** A number below a bound. */
export type Random = (below: number) => number;

const NAMES = ["a", "b", "c"];
const NAMESPACES = ["default", "other"];

/** One of them, or a service or route that they are about. */
export function randomSmall(random: Random): KubeObject {
  if (random(3) > 0) return randomObservation(random);
  const { metadata, host } = randomName(random);
  return random(3) > 0
    ? {
        apiVersion: "v1",
        kind: "Service",
        metadata,
        spec: {
          clusterIP: `198.51.100.${1 + NAMES.indexOf(metadata.name)}`,
          selector: { app: metadata.name },
          ports: [{ name: "http", port: random(2) === 0 ? 80 : 8080, targetPort: 8080 }],
        },
      }
    : {
        apiVersion: "networking.istio.io/v1",
        kind: "VirtualService",
        metadata,
        spec: {
          hosts: [host],
          http: [{ timeout: `${1 + random(9)}s`, route: [{ destination: { host } }] }],
        },
      };
}

export function randomObservation(random: Random): KubeObject {
  const { metadata, host } = randomName(random);
  const pick = <T>(list: readonly T[]): T => list[random(list.length)]!;
  const placed = { ...metadata, namespace: pick([metadata.namespace, "istio-system"]) };
  switch (random(5)) {
    case 0:
      return {
        apiVersion: "v1",
        kind: "ConfigMap",
        metadata: { name: "istio", namespace: "istio-system" },
        data: { mesh: JSON.stringify(randomSettings(random, host)) },
      };
    case 1:
      return {
        apiVersion: "telemetry.istio.io/v1",
        kind: "Telemetry",
        metadata: placed,
        spec: {
          ...(random(3) === 0 ? { selector: { matchLabels: { app: metadata.name } } } : {}),
          accessLogging: [
            { providers: [{ name: pick(["envoy", "otel"]) }], disabled: random(4) === 0 },
          ],
          tracing: [{ providers: [{ name: "zipkin" }], randomSamplingPercentage: random(100) }],
        },
      };
    default:
      return {
        apiVersion: "networking.istio.io/v1alpha3",
        kind: "EnvoyFilter",
        metadata: placed,
        spec: {
          priority: random(2),
          ...(random(3) === 0 ? { workloadSelector: { labels: { app: metadata.name } } } : {}),
          configPatches: [randomPatch(random, host), randomPatch(random, host)],
        },
      };
  }
}

function randomName(random: Random): {
  metadata: { name: string; namespace: string; creationTimestamp: string };
  host: string;
} {
  const name = NAMES[random(NAMES.length)]!;
  const namespace = NAMESPACES[random(NAMESPACES.length)]!;
  const creationTimestamp = `2026-01-0${1 + random(5)}T00:00:00Z`;
  return {
    metadata: { name, namespace, creationTimestamp },
    host: `${name}.${namespace}.svc.cluster.local`,
  };
}

/** A change of some cluster, virtual host or listener, or one more of them. */
function randomPatch(random: Random, host: string): object {
  const patches = [
    {
      applyTo: "CLUSTER",
      match: { cluster: { service: host } },
      patch: { operation: "MERGE", value: { connect_timeout: `${1 + random(9)}s` } },
    },
    { applyTo: "CLUSTER", match: { cluster: { service: host } }, patch: { operation: "REMOVE" } },
    {
      applyTo: "CLUSTER",
      patch: {
        operation: "ADD",
        value: { name: random(2) === 0 ? "added" : `outbound|80||${host}`, type: "STATIC" },
      },
    },
    {
      applyTo: "VIRTUAL_HOST",
      match: { routeConfiguration: { vhost: { name: `${host}:80` } } },
      patch: { operation: "MERGE", value: { request_headers_to_remove: [`x-${random(9)}`] } },
    },
    {
      applyTo: "VIRTUAL_HOST",
      patch: {
        operation: "ADD",
        value: { name: `extra-${random(3)}`, domains: [`d${random(3)}.example.org`] },
      },
    },
    {
      applyTo: "LISTENER",
      match: { context: "SIDECAR_OUTBOUND", listener: { portNumber: 80 } },
      patch: { operation: "MERGE", value: { per_connection_buffer_limit_bytes: random(9) } },
    },
    { applyTo: "CLUSTER", patch: { operation: "MERGE", value: { wrong: 1 } } },
  ];
  return patches[random(patches.length)]!;
}

function randomSettings(random: Random, host: string): object {
  return {
    accessLogFile: random(2) === 0 ? "" : "/dev/stdout",
    extensionProviders: [
      { name: "zipkin", zipkin: { service: host, port: 80 } },
      { name: "otel", envoyOtelAls: { service: "a.default.svc.cluster.local", port: 8080 } },
    ],
    ...(random(2) === 0 ? {} : { defaultProviders: { tracing: ["zipkin"] } }),
  };
}
