/** The containers that injection adds. */

import type { Container, EnvVar, Probe } from "#cluster/api/generated/core-v1.ts";
import { BOOTSTRAP_OVERRIDE_DIR, ROOT_CA_DIR } from "./bootstrap.ts";
import { type InjectorConfig, PORTS, PROXY_UID } from "./config.ts";
import { redirectRuleset } from "./redirect.ts";
import type { ProxySettings } from "./settings.ts";

export const PROXY_CONTAINER = "istio-proxy";
export const INIT_CONTAINER = "istio-init";
export const CA_VOLUME = "istiod-ca-cert";
export const BOOTSTRAP_VOLUME = "custom-bootstrap-volume";

/** Stands for the bootstrap until all of the pod is known that it depends on. */
export const BOOTSTRAP = "(bootstrap)";

/** Runs to completion before the proxy: only it has the right to change the pod's network. */
export function initContainer(settings: ProxySettings, config: InjectorConfig): Container {
  const { imagePullPolicy, privileged, seccompProfile } = config;
  return {
    name: INIT_CONTAINER,
    image: settings.image,
    ...(imagePullPolicy && { imagePullPolicy }),
    command: ["/usr/sbin/nft"],
    args: [redirectRuleset(settings.redirect)],
    ...(settings.resources && { resources: settings.resources }),
    securityContext: {
      allowPrivilegeEscalation: privileged,
      privileged,
      readOnlyRootFilesystem: false,
      runAsUser: 0,
      runAsGroup: 0,
      runAsNonRoot: false,
      capabilities: { add: ["NET_ADMIN", "NET_RAW"], drop: ["ALL"] },
      ...(seccompProfile && { seccompProfile }),
    },
  };
}

/** Envoy with its bootstrap as an argument; the image's entry point is Envoy. */
export function proxyContainer(settings: ProxySettings, config: InjectorConfig): Container {
  const { imagePullPolicy } = config;
  const metadata = Object.entries(settings.proxy.proxyMetadata);
  return {
    name: PROXY_CONTAINER,
    image: settings.image,
    ...(imagePullPolicy && { imagePullPolicy }),
    args: envoyArguments(settings),
    env: [...ENVIRONMENT, ...metadata.map(([name, value]) => ({ name, value }))],
    ports: [{ name: "http-envoy-prom", containerPort: PORTS.stats, protocol: "TCP" }],
    ...(settings.resources && { resources: settings.resources }),
    ...(settings.native && { restartPolicy: "Always" }),
    ...probes(settings, config),
    lifecycle: config.lifecycle ?? {
      ...(settings.holdApplication &&
        !settings.native &&
        !settings.gateway && { postStart: { exec: { command: waitCommand() } } }),
      preStop: { exec: { command: drainCommand(settings) } },
    },
    securityContext: securityContext(settings, config),
    volumeMounts: [
      ...(config.rootCa.kind === "configMap"
        ? [{ name: CA_VOLUME, mountPath: ROOT_CA_DIR, readOnly: true }]
        : []),
      ...(settings.bootstrapOverride === undefined
        ? []
        : [{ name: BOOTSTRAP_VOLUME, mountPath: BOOTSTRAP_OVERRIDE_DIR, readOnly: true }]),
      ...settings.volumeMounts,
    ],
    ...(settings.gateway && { terminationMessagePolicy: "FallbackToLogsOnError" as const }),
  };
}

function envoyArguments(settings: ProxySettings): string[] {
  const { proxy, bootstrapOverride, concurrency } = settings;
  return [
    ...(bootstrapOverride === undefined
      ? []
      : ["--config-path", `${BOOTSTRAP_OVERRIDE_DIR}/custom_bootstrap.json`]),
    "--config-yaml",
    BOOTSTRAP,
    ...(concurrency === 0 ? [] : ["--concurrency", String(concurrency)]),
    "--disable-hot-restart",
    // Access logs are there to be read now, not after Envoy's default of ten seconds.
    "--file-flush-interval-msec",
    String(proxy.fileFlushMs ?? 1000),
    ...(proxy.fileFlushMinKb === undefined
      ? []
      : ["--file-flush-min-size-kb", String(proxy.fileFlushMinKb)]),
    "--drain-time-s",
    String(settings.drainSeconds),
    "--drain-strategy",
    "immediate",
    "--log-level",
    settings.logLevel,
    "--component-log-level",
    settings.componentLogLevel,
  ];
}

/** A gateway's author writes its own; Istio's template gives it the user alone. */
function securityContext(
  settings: ProxySettings,
  { privileged, seccompProfile }: InjectorConfig,
): Container["securityContext"] {
  if (settings.gateway) return { runAsUser: PROXY_UID, runAsGroup: PROXY_UID };
  const low = settings.bindLowPorts;
  return {
    allowPrivilegeEscalation: privileged,
    privileged,
    readOnlyRootFilesystem: true,
    runAsUser: low ? 0 : PROXY_UID,
    runAsGroup: PROXY_UID,
    runAsNonRoot: !low,
    capabilities: { ...(low && { add: ["NET_BIND_SERVICE"] }), drop: ["ALL"] },
    ...(seccompProfile && { seccompProfile }),
  };
}

/** `startupProbe` holds back the app's containers until Envoy has its configuration. */
function probes(
  { readiness, gateway }: ProxySettings,
  { startupFailureThreshold }: InjectorConfig,
): { startupProbe?: Probe; readinessProbe?: Probe } {
  if (readiness === null) return {};
  const httpGet = { path: "/healthz/ready", port: PORTS.health };
  const { periodSeconds, failureThreshold, initialDelaySeconds } = readiness;
  return {
    ...(!gateway &&
      startupFailureThreshold !== null && {
        startupProbe: {
          httpGet,
          periodSeconds: 1,
          timeoutSeconds: 3,
          failureThreshold: startupFailureThreshold,
        },
      }),
    readinessProbe: {
      httpGet,
      periodSeconds,
      timeoutSeconds: 3,
      failureThreshold,
      ...(initialDelaySeconds > 0 && { initialDelaySeconds }),
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
  const what = settings.gateway ? "" : "inboundonly&";
  const post =
    `exec 3<>/dev/tcp/127.0.0.1/${settings.adminPort} && ` +
    `printf 'POST /drain_listeners?${what}graceful&skip_exit HTTP/1.0\\r\\n\\r\\n' >&3 && ` +
    "read -r -t 2 <&3";
  const wait = settings.native ? "" : `; sleep ${settings.terminationSeconds}`;
  return ["/bin/bash", "-c", `${post}${wait}`];
}

/** Ends once Envoy is ready: the kubelet starts the next container after that. */
function waitCommand(): string[] {
  const ask =
    `exec 3<>/dev/tcp/127.0.0.1/${PORTS.health} && ` +
    "printf 'GET /healthz/ready HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\n\\r\\n' >&3 && " +
    "read -r -t 2 _ code _ <&3 && " +
    '[ "$code" = 200 ]';
  return ["/bin/bash", "-c", `until ( ${ask} ) 2>/dev/null; do sleep 0.1; done`];
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
