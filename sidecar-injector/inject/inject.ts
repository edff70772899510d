/** (Pod, configuration) → the pod with its proxy. Pure: the webhook and the command share it. */

import type { Container, PodSpec, Volume } from "#cluster/api/generated/core-v1.ts";
import { bootstrapText } from "./bootstrap.ts";
import { DEFAULT_CONFIG, type InjectorConfig, PORTS } from "./config.ts";
import {
  CA_VOLUME,
  INIT_CONTAINER,
  PROXY_CONTAINER,
  initContainer,
  proxyContainer,
} from "./containers.ts";
import { type Labels, type PodInput, REVISION, STATUS, decide, own } from "./decide.ts";
import { type PatchOperation, patchBetween } from "./json-patch.ts";
import { override } from "./override.ts";
import type { InjectionProblem } from "./problem.ts";
import { type ProxySettings, readSettings } from "./settings.ts";
import { type WorkloadIdentity, workloadIdentity } from "./workload.ts";

export interface InjectOptions {
  /** Where the pod is created (its own metadata may not say it yet). */
  namespace: string;
  /** Absent when the webhook's selectors have already decided for the namespace. */
  namespaceLabels?: Labels;
  config?: InjectorConfig;
}

export type Injection =
  | { kind: "skipped"; reason: string }
  /** The pod asks for something impossible; it must not run without its proxy. */
  | { kind: "refused"; problems: InjectionProblem[] }
  | { kind: "injected"; reason: string; pod: PodInput; patch: PatchOperation[] };

/** Never changes `pod`. */
export function inject(pod: PodInput, options: InjectOptions): Injection {
  const { namespace, namespaceLabels, config = DEFAULT_CONFIG } = options;
  const decision = decide(pod, { namespace, namespaceLabels, revision: config.revision });
  if (!decision.inject) return { kind: "skipped", reason: decision.reason };
  if (pod.spec === undefined) return refused("spec", "a pod needs a spec");
  const read = readSettings(pod.metadata?.annotations ?? {}, config);
  if (!read.ok) return { kind: "refused", problems: read.problems };
  const { settings } = read;
  if (settings.template === "gateway" && authored(pod.spec) === undefined) {
    return refused(
      "spec.containers",
      `the gateway template needs a container ${PROXY_CONTAINER} with image auto`,
    );
  }
  const identity = workloadIdentity(pod, namespace);
  const labels = {
    ...pod.metadata?.labels,
    "service.istio.io/canonical-name": identity.canonicalName,
    "service.istio.io/canonical-revision": identity.canonicalRevision,
  };
  const bootstrap = bootstrapText(
    {
      type: settings.template === "gateway" ? "router" : "sidecar",
      serviceCluster: `${identity.canonicalName}.${namespace}`,
      metadata: nodeMetadata(pod.spec, { identity, labels, settings }),
    },
    config,
    settings.discoveryAddress,
  );
  const spec = injectedSpec(pod.spec, settings, bootstrap, config);
  const annotations = {
    ...prometheus(pod.metadata?.annotations ?? {}),
    ...defaultContainer(pod),
    ...pod.metadata?.annotations,
    [REVISION]: config.revision,
    [STATUS]: status(settings, config),
  };
  const injected: PodInput = { ...pod, metadata: { ...pod.metadata, labels, annotations }, spec };
  return {
    kind: "injected",
    reason: decision.reason,
    pod: injected,
    patch: patchBetween({ ...pod }, { ...injected }),
  };
}

function injectedSpec(
  spec: PodSpec,
  settings: ProxySettings,
  bootstrap: string,
  config: InjectorConfig,
): PodSpec {
  const proxy = override(proxyContainer(settings, bootstrap), authored(spec));
  const init =
    settings.interception === "REDIRECT"
      ? [override(initContainer(settings), named(spec.initContainers, INIT_CONTAINER))]
      : [];
  const apps = spec.containers.filter(({ name }) => name !== PROXY_CONTAINER);
  const otherInits = (spec.initContainers ?? []).filter(
    ({ name }) => name !== PROXY_CONTAINER && name !== INIT_CONTAINER,
  );
  const volumes = (spec.volumes ?? []).filter(({ name }) => name !== CA_VOLUME);
  const initContainers = [...init, ...(settings.native ? [proxy] : []), ...otherInits];
  return {
    ...spec,
    volumes: [...volumes, rootCaVolume(config)],
    ...(initContainers.length > 0 && { initContainers }),
    containers: settings.native ? apps : placed(spec.containers, apps, proxy),
  };
}

/** Where its author put it, else last, as in Istio. */
function placed(all: readonly Container[], apps: Container[], proxy: Container): Container[] {
  const at = all.findIndex(({ name }) => name === PROXY_CONTAINER);
  return apps.toSpliced(at < 0 ? apps.length : at, 0, proxy);
}

function rootCaVolume(config: InjectorConfig): Volume {
  const { configMap, key } = config.rootCa;
  return {
    name: CA_VOLUME,
    configMap: { name: configMap, items: [{ key, path: "root-cert.pem" }] },
  };
}

/** Istio's names; what only the kubelet knows is added by the bootstrap itself. */
function nodeMetadata(
  spec: PodSpec,
  known: { identity: WorkloadIdentity; labels: Labels; settings: ProxySettings },
): Record<string, unknown> {
  const apps = spec.containers.filter(({ name }) => name !== PROXY_CONTAINER);
  const ports = apps.flatMap(({ ports = [] }) =>
    ports.map(({ name, containerPort, protocol }) => ({ name, containerPort, protocol })),
  );
  return {
    LABELS: known.labels,
    WORKLOAD_NAME: known.identity.name,
    OWNER: known.identity.owner,
    // Istio carries these two as text.
    POD_PORTS: JSON.stringify(ports),
    APP_CONTAINERS: apps.map(({ name }) => name).join(","),
    INTERCEPTION_MODE: known.settings.interception,
  };
}

/** Without an agent nothing merges metrics, so an app that offers its own keeps its annotations. */
function prometheus(annotations: Labels): Labels {
  if (Object.keys(annotations).some((name) => name.startsWith("prometheus.io"))) return {};
  return {
    "prometheus.io/scrape": "true",
    "prometheus.io/port": String(PORTS.stats),
    "prometheus.io/path": "/stats/prometheus",
  };
}

function defaultContainer(pod: PodInput): Labels {
  const app = pod.spec?.containers.find(({ name }) => name !== PROXY_CONTAINER)?.name;
  if (app === undefined) return {};
  const name = "kubectl.kubernetes.io/default-container";
  const chosen = own(pod.metadata?.annotations ?? {}, name) ?? app;
  return { [name]: chosen, "kubectl.kubernetes.io/default-logs-container": chosen };
}

function status(settings: ProxySettings, config: InjectorConfig): string {
  const init = settings.interception === "REDIRECT" ? [INIT_CONTAINER] : [];
  const initContainers = settings.native ? [...init, PROXY_CONTAINER] : init;
  return JSON.stringify({
    initContainers: initContainers.length > 0 ? initContainers : null,
    containers: settings.native ? null : [PROXY_CONTAINER],
    volumes: [CA_VOLUME],
    imagePullSecrets: null,
    revision: config.revision,
  });
}

function authored(spec: PodSpec): Container | undefined {
  return named(spec.containers, PROXY_CONTAINER) ?? named(spec.initContainers, PROXY_CONTAINER);
}

function named(containers: readonly Container[] | undefined, name: string): Container | undefined {
  return containers?.find((container) => container.name === name);
}

function refused(path: string, message: string): Injection {
  return { kind: "refused", problems: [{ path, message }] };
}
