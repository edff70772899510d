/** The containers that injection adds. */

import type { Container, EnvVar, Probe } from "#cluster/api/generated/core-v1.ts";
import { ROOT_CA_DIR } from "./bootstrap.ts";
import { PORTS, PROXY_UID } from "./config.ts";
import { redirectRuleset } from "./redirect.ts";
import type { ProxySettings } from "./settings.ts";

export const PROXY_CONTAINER = "istio-proxy";
export const INIT_CONTAINER = "istio-init";
export const CA_VOLUME = "istiod-ca-cert";

/** Runs to completion before the proxy: only it has the right to change the pod's network. */
export function initContainer(settings: ProxySettings): Container {
  return {
    name: INIT_CONTAINER,
    image: settings.image,
    command: ["/usr/sbin/nft"],
    args: [redirectRuleset(settings.redirect)],
    resources: settings.resources,
    securityContext: {
      allowPrivilegeEscalation: false,
      privileged: false,
      readOnlyRootFilesystem: false,
      runAsUser: 0,
      runAsGroup: 0,
      runAsNonRoot: false,
      capabilities: { add: ["NET_ADMIN", "NET_RAW"], drop: ["ALL"] },
    },
  };
}

/** Envoy with its bootstrap as an argument; the image's entry point is Envoy. */
export function proxyContainer(settings: ProxySettings, bootstrap: string): Container {
  const gateway = settings.template === "gateway";
  return {
    name: PROXY_CONTAINER,
    image: settings.image,
    args: [
      "--config-yaml",
      bootstrap,
      "--concurrency",
      String(settings.concurrency),
      "--disable-hot-restart",
      // Access logs are there to be read now, not after Envoy's default of ten seconds.
      "--file-flush-interval-msec",
      "1000",
      "--drain-time-s",
      String(settings.drainSeconds),
      "--drain-strategy",
      "immediate",
      "--log-level",
      settings.logLevel,
      "--component-log-level",
      settings.componentLogLevel,
    ],
    env: ENVIRONMENT,
    ports: [{ name: "http-envoy-prom", containerPort: PORTS.stats, protocol: "TCP" }],
    resources: settings.resources,
    ...(settings.native && { restartPolicy: "Always" }),
    ...probes(settings),
    lifecycle: { preStop: { exec: { command: drainCommand(settings) } } },
    securityContext: {
      allowPrivilegeEscalation: false,
      privileged: false,
      readOnlyRootFilesystem: true,
      runAsUser: PROXY_UID,
      runAsGroup: PROXY_UID,
      runAsNonRoot: true,
      capabilities: { drop: ["ALL"] },
    },
    volumeMounts: [{ name: CA_VOLUME, mountPath: ROOT_CA_DIR, readOnly: true }],
    terminationMessagePolicy: gateway ? "FallbackToLogsOnError" : "File",
  };
}

/** `startupProbe` holds back the app's containers until Envoy has its configuration. */
function probes(settings: ProxySettings): { startupProbe?: Probe; readinessProbe?: Probe } {
  const { readiness } = settings;
  if (readiness === null) return {};
  const httpGet = { path: "/healthz/ready", port: PORTS.health };
  return {
    ...(settings.template === "sidecar" && {
      startupProbe: { httpGet, periodSeconds: 1, timeoutSeconds: 3, failureThreshold: 600 },
    }),
    readinessProbe: {
      httpGet,
      periodSeconds: readiness.periodSeconds,
      timeoutSeconds: 3,
      failureThreshold: readiness.failureThreshold,
      ...(readiness.initialDelaySeconds > 0 && {
        initialDelaySeconds: readiness.initialDelaySeconds,
      }),
    },
  };
}

/**
 * Runs when the pod is told to stop: from then on each answer asks its client to connect anew, which
 * leads to another pod, while everything under way is served. A native sidecar is stopped only after
 * the app has ended; beside the app or as a gateway, Envoy must wait here itself. The image has bash,
 * which posts to the admin server without another program.
 */
function drainCommand(settings: ProxySettings): string[] {
  const what = settings.template === "gateway" ? "" : "inboundonly&";
  const post =
    `exec 3<>/dev/tcp/127.0.0.1/${PORTS.admin} && ` +
    `printf 'POST /drain_listeners?${what}graceful&skip_exit HTTP/1.0\\r\\n\\r\\n' >&3 && ` +
    "read -r -t 2 <&3";
  const wait = settings.native ? "" : `; sleep ${settings.terminationSeconds}`;
  return ["/bin/bash", "-c", `${post}${wait}`];
}

const ENVIRONMENT: EnvVar[] = [
  field("POD_NAME", "metadata.name"),
  field("POD_NAMESPACE", "metadata.namespace"),
  field("INSTANCE_IP", "status.podIP"),
  field("SERVICE_ACCOUNT", "spec.serviceAccountName"),
  field("HOST_IP", "status.hostIP"),
  field("NODE_NAME", "spec.nodeName"),
];

function field(name: string, fieldPath: string): EnvVar {
  return { name, valueFrom: { fieldRef: { apiVersion: "v1", fieldPath } } };
}
