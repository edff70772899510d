/** Labels and annotations of an injected pod, and what its proxy says about itself. */

import type { Container, PodSpec } from "#cluster/api/generated/core-v1.ts";
import { PROXY_CONTAINER } from "./containers.ts";
import type { Labels } from "./pod-input.ts";
import { own } from "./pod-input.ts";
import { type Overrides, withoutPlaceholder } from "./override.ts";
import type { AuthoredContainers } from "./pod-spec.ts";
import type { ProxySettings } from "./settings.ts";
import type { InjectionStatus } from "./strip.ts";
import type { WorkloadIdentity } from "./workload.ts";

/** A label that the pod's author has set wins. */
export function injectedLabels(
  labels: Labels,
  identity: WorkloadIdentity,
  options: { sidecar: boolean; network?: string },
): Labels {
  return sorted({
    ...(options.sidecar && { "security.istio.io/tlsMode": "istio" }),
    ...labels,
    "service.istio.io/canonical-name": identity.canonicalName,
    "service.istio.io/canonical-revision": identity.canonicalRevision,
    ...(options.network !== undefined && { "topology.istio.io/network": options.network }),
  });
}

/** By name, so that injecting twice gives the same text as once. */
export function sorted(map: Labels): Record<string, string> {
  return Object.fromEntries(Object.entries(map).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

/** Commands such as `kubectl exec` mean the app, not the proxy. */
export function defaultContainer(spec: PodSpec): Labels {
  const app = spec.containers.find(({ name }) => name !== PROXY_CONTAINER)?.name;
  if (app === undefined) return {};
  return {
    "kubectl.kubernetes.io/default-container": app,
    "kubectl.kubernetes.io/default-logs-container": app,
  };
}

/** The names of what `after` has and `before` hasn't, as Istio writes them. */
export function injectionStatus(before: PodSpec, after: PodSpec, revision: string): string {
  const added = (
    then: readonly { name?: string }[] | undefined,
    now: readonly { name?: string }[] | undefined,
  ): string[] | null => {
    const known = new Set((then ?? []).map(({ name }) => name));
    const names = (now ?? []).flatMap(({ name }) =>
      name === undefined || (known.has(name) && !name.startsWith("istio-")) ? [] : [name],
    );
    return names.length > 0 ? names : null;
  };
  const status: InjectionStatus = {
    initContainers: added(before.initContainers, after.initContainers),
    containers: added(before.containers, after.containers),
    volumes: added(before.volumes, after.volumes),
    imagePullSecrets: added(before.imagePullSecrets, after.imagePullSecrets),
    revision,
  };
  return JSON.stringify(status);
}

/** What `proxy.istio.io/overrides` keeps; undefined where the author wrote no such container. */
export function overridesText(
  authored: AuthoredContainers,
  settings: ProxySettings,
): string | undefined {
  const of = (container: Container | undefined): Container[] =>
    container === undefined ? [] : [withoutPlaceholder(container)];
  const inits = [...of(authored.init), ...(settings.native ? of(authored.proxy) : [])];
  const containers = settings.native ? [] : of(authored.proxy);
  const overrides: Overrides = {
    ...(containers.length > 0 && { containers }),
    ...(inits.length > 0 && { initContainers: inits }),
  };
  return Object.keys(overrides).length === 0 ? undefined : JSON.stringify(overrides);
}

/** Istio's names; what only the kubelet knows is added by the bootstrap itself. */
export function nodeMetadata(
  spec: PodSpec,
  known: { identity: WorkloadIdentity; labels: Labels; settings: ProxySettings },
): Record<string, unknown> {
  const { settings, identity } = known;
  const apps = spec.containers.filter(({ name }) => name !== PROXY_CONTAINER);
  const ports = apps.flatMap(({ ports = [] }) =>
    ports.map(({ name, containerPort, protocol }) => ({ name, containerPort, protocol })),
  );
  const own = Object.entries(settings.proxy.proxyMetadata).flatMap(([name, value]) =>
    name.startsWith("ISTIO_META_") ? [[name.slice("ISTIO_META_".length), value] as const] : [],
  );
  return {
    LABELS: known.labels,
    WORKLOAD_NAME: identity.name,
    OWNER: identity.owner,
    // Istio carries these two as text.
    POD_PORTS: JSON.stringify(ports),
    APP_CONTAINERS: apps.map(({ name }) => name).join(","),
    INTERCEPTION_MODE: settings.interception,
    ...(Object.keys(settings.rawProxyConfig).length > 0 && {
      PROXY_CONFIG: settings.rawProxyConfig,
    }),
    ...(settings.proxy.discovery === "on-demand" && { DISCOVERY: "on-demand" }),
    ...Object.fromEntries(own),
  };
}

/** What will go wrong although the pod is well-formed. */
export function podWarnings(spec: PodSpec, settings: ProxySettings): string[] {
  if (settings.interception === "NONE") return [];
  const uid = settings.redirect.proxyUid;
  const whole = spec.securityContext?.runAsUser;
  const asProxy = spec.containers.filter(
    ({ name, securityContext }) =>
      name !== PROXY_CONTAINER && (securityContext?.runAsUser ?? whole) === uid,
  );
  return [
    ...asProxy.map(
      ({ name }) =>
        `container ${name} runs as user ${uid}, which is the proxy's: its connections bypass the mesh`,
    ),
    ...(["Default", "None"].includes(spec.dnsPolicy ?? "")
      ? [`dnsPolicy ${spec.dnsPolicy} may keep the proxy from finding the discovery server`]
      : []),
  ];
}

/** The names in `inject.istio.io/templates`, aliases resolved; the administrator's default else. */
export function templateNames(
  annotations: Labels,
  config: {
    defaultTemplates: readonly string[];
    aliases: Readonly<Record<string, readonly string[]>>;
  },
): string[] {
  const text = own(annotations, "inject.istio.io/templates");
  const names = text?.split(",").map((name) => name.trim()) ?? config.defaultTemplates;
  return names.flatMap((name) =>
    Object.hasOwn(config.aliases, name) ? (config.aliases[name] ?? []) : [name],
  );
}
