/** (Pod, configuration) → the pod with its proxy. Pure: the webhook and the command share it. */

import { applyStrategicMergePatch } from "#cluster/apiserver/patch/strategic-merge.ts";
import type { EnvVar, PodSpec } from "#cluster/api/generated/core-v1.ts";
import { bootstrapText } from "./bootstrap.ts";
import { DEFAULT_CONFIG, type InjectorConfig } from "./config.ts";
import { BOOTSTRAP, PROXY_CONTAINER } from "./containers.ts";
import { REVISION, STATUS, decide } from "./decide.ts";
import type { Labels, PodInput } from "./pod-input.ts";
import { type PatchOperation, patchBetween } from "./json-patch.ts";
import {
  defaultContainer,
  sorted,
  injectedLabels,
  injectionStatus,
  nodeMetadata,
  overridesText,
  podWarnings,
  templateNames,
} from "./metadata.ts";
import { OVERRIDES } from "./override.ts";
import { authoredContainers, ordered, withOverrides, withProxy } from "./pod-spec.ts";
import { PROBERS, probersText, rewriteProbes } from "./probes.ts";
import type { InjectionProblem } from "./problem.ts";
import { SCRAPING, type ScrapeConfig, mergePrometheus } from "./prometheus.ts";
import { type ProxySettings, type SelectedProxyConfigs, readSettings } from "./settings.ts";
import { withoutInjection } from "./strip.ts";
import { type PodTemplate, renderTemplate } from "./template.ts";
import { type WorkloadIdentity, type WorkloadOwner, workloadIdentity } from "./workload.ts";

export interface InjectOptions {
  /** Where the pod is created (its own metadata may not say it yet). */
  namespace: string;
  /** Absent when the webhook's selectors have already decided for the namespace. */
  namespaceLabels?: Labels;
  config?: InjectorConfig;
  proxyConfigs?: SelectedProxyConfigs;
  /** The object whose pod template this is, when no pod exists yet. */
  owner?: WorkloadOwner;
  /** The network that the webhook's URL names. */
  network?: string;
}

export type Injection =
  | { kind: "skipped"; reason: string }
  /** The pod asks for something impossible; it must not run without its proxy. */
  | { kind: "refused"; problems: InjectionProblem[] }
  | {
      kind: "injected";
      reason: string;
      pod: PodInput;
      patch: PatchOperation[];
      /** What the pod asks for that changes nothing, or will not work. */
      warnings: string[];
    };

/** Never changes `pod`. An injected pod becomes what injecting it now for the first time gives. */
export function inject(pod: PodInput, options: InjectOptions): Injection {
  const { namespace, namespaceLabels, config = DEFAULT_CONFIG } = options;
  const decision = decide(pod, { namespace, namespaceLabels, config });
  if (!decision.inject) return { kind: "skipped", reason: decision.reason };
  if (pod.spec === undefined) return refused("spec", "a pod needs a spec");
  const templates = chooseTemplates(pod, config);
  if (!templates.ok) return { kind: "refused", problems: templates.problems };
  const read = readSettings({
    annotations: pod.metadata?.annotations ?? {},
    config,
    gateway: templates.builtIn === "gateway",
    proxyConfigs: options.proxyConfigs,
  });
  if (!read.ok) return { kind: "refused", problems: read.problems };
  const result = assemble(pod, { ...templates, settings: read.settings, config, options });
  if (!result.ok) return { kind: "refused", problems: result.problems };
  return {
    kind: "injected",
    reason: decision.reason,
    pod: result.pod,
    patch: patchBetween({ ...pod }, { ...result.pod }),
    warnings: [...read.warnings, ...podWarnings(pod.spec, read.settings)],
  };
}

interface ChosenTemplates {
  /** Undefined where only the administrator's own are asked for. */
  builtIn?: "sidecar" | "gateway";
  custom: { name: string; template: PodTemplate }[];
}

type Problems = { ok: false; problems: InjectionProblem[] };

function chooseTemplates(
  pod: PodInput,
  config: InjectorConfig,
): ({ ok: true } & ChosenTemplates) | Problems {
  const path = "metadata.annotations[inject.istio.io/templates]";
  const names = templateNames(pod.metadata?.annotations ?? {}, config);
  const builtIn = names.filter((name) => name === "sidecar" || name === "gateway");
  const problems: InjectionProblem[] = [];
  if (builtIn.length > 1)
    problems.push({ path, message: "a pod has one proxy: sidecar or gateway" });
  const custom = names.flatMap((name) => {
    if (name === "sidecar" || name === "gateway") return [];
    const template = Object.hasOwn(config.templates, name) ? config.templates[name] : undefined;
    if (template !== undefined) return [{ name, template }];
    const known = ["sidecar", "gateway", ...Object.keys(config.templates)].join(", ");
    problems.push({ path, message: `there is no template ${JSON.stringify(name)}, only ${known}` });
    return [];
  });
  if (problems.length > 0) return { ok: false, problems };
  return { ok: true, ...(builtIn[0] && { builtIn: builtIn[0] }), custom };
}

interface Assembly extends ChosenTemplates {
  settings: ProxySettings;
  config: InjectorConfig;
  options: InjectOptions;
}

/** Built-in proxy, templates, the author's overrides; then what depends on the whole pod. */
function assemble(pod: PodInput, assembly: Assembly): { ok: true; pod: PodInput } | Problems {
  const { settings, config, options, builtIn } = assembly;
  const bare = withoutInjection(pod, settings.statusPort);
  const bareSpec: PodSpec = bare.spec ?? { containers: [] };
  const identity = workloadIdentity(bare, options.namespace, options.owner);
  const authored = authoredContainers(bareSpec);
  const labels = injectedLabels(bare.metadata?.labels ?? {}, identity, {
    sidecar: builtIn === "sidecar",
    network: options.network,
  });
  const proxied =
    builtIn === undefined ? bareSpec : withProxy(bareSpec, settings, config, authored);
  const start: PodInput = { ...bare, metadata: { ...bare.metadata, labels }, spec: proxied };
  const templated = applyTemplates(start, assembly, identity);
  if (!templated.ok) return templated;
  const spec = ordered(
    withOverrides(templated.pod.spec ?? proxied, builtIn === undefined ? {} : authored),
    settings,
  );
  const asked = templated.pod.metadata?.annotations ?? {};
  const prometheus =
    builtIn !== undefined && settings.prometheusMerge && config.statusPort !== 0
      ? mergePrometheus(asked, settings.statusPort || config.statusPort)
      : { annotations: asked };
  if (prometheus.problem !== undefined) {
    const { annotation, message } = prometheus.problem;
    return { ok: false, problems: [{ path: `metadata.annotations[${annotation}]`, message }] };
  }
  const overrides = overridesText(authored, settings);
  return {
    ok: true,
    pod: {
      ...templated.pod,
      metadata: {
        ...templated.pod.metadata,
        annotations: sorted({
          ...defaultContainer(spec),
          ...prometheus.annotations,
          ...(overrides !== undefined && builtIn !== undefined && { [OVERRIDES]: overrides }),
          ...config.injectedAnnotations,
          ...(builtIn !== undefined && { [REVISION]: config.revision }),
          [STATUS]: injectionStatus(bareSpec, spec, config.revision),
        }),
      },
      spec: withBootstrap(spec, {
        ...assembly,
        identity,
        labels: templated.pod.metadata?.labels ?? labels,
        prometheus,
      }),
    },
  };
}

function applyTemplates(
  pod: PodInput,
  { custom, settings, config, options }: Assembly,
  identity: WorkloadIdentity,
): { ok: true; pod: PodInput } | Problems {
  let result = pod;
  for (const { name, template } of custom) {
    const { patch, problems } = renderTemplate(template, result, {
      "pod.name": pod.metadata?.name ?? "",
      "pod.namespace": options.namespace,
      "pod.serviceAccountName": pod.spec?.serviceAccountName ?? "default",
      "workload.name": identity.name,
      "proxy.image": settings.image,
      "proxy.statusPort": String(settings.statusPort),
      "cluster.id": config.clusterId,
      "cluster.domain": config.clusterDomain,
      "mesh.id": config.meshId,
      network: config.network,
      revision: config.revision,
    });
    const at = (path: string): string => `template ${name}: ${path}`;
    if (problems.length > 0) {
      return { ok: false, problems: problems.map((one) => ({ ...one, path: at(one.path) })) };
    }
    const merged = applyStrategicMergePatch({ $ref: "io.k8s.api.core.v1.Pod" }, result, patch);
    if (!merged.ok) return { ok: false, problems: [{ path: at(""), message: merged.message }] };
    result = merged.result as PodInput;
  }
  return { ok: true, pod: result };
}

/** Probes go through the proxy, and the proxy learns all that its start depends on. */
function withBootstrap(
  spec: PodSpec,
  known: Assembly & {
    identity: WorkloadIdentity;
    labels: Labels;
    prometheus: { scrape?: ScrapeConfig; original?: Labels };
  },
): PodSpec {
  const { settings, config, options, identity, prometheus } = known;
  if (known.builtIn === undefined) return spec;
  const rewritten = settings.rewriteProbes
    ? rewriteProbes(spec, { statusPort: settings.statusPort, except: PROXY_CONTAINER })
    : { spec, probes: [] };
  const env: EnvVar[] = [
    ...(rewritten.probes.length > 0 ? [variable(PROBERS, probersText(rewritten.probes))] : []),
    ...(prometheus.original ? [variable(SCRAPING, JSON.stringify(prometheus.original))] : []),
  ];
  const bootstrap = bootstrapText(
    {
      type: settings.gateway ? "router" : "sidecar",
      serviceCluster: `${identity.canonicalName}.${options.namespace}`,
      metadata: {
        ...nodeMetadata(rewritten.spec, known),
        ...(options.network !== undefined && { NETWORK: options.network }),
      },
    },
    { probes: rewritten.probes, ...(prometheus.scrape && { scrape: prometheus.scrape }) },
    settings,
    config,
  );
  const complete = (containers: PodSpec["containers"]): PodSpec["containers"] =>
    containers.map((container) =>
      container.name !== PROXY_CONTAINER
        ? container
        : {
            ...container,
            ...(container.args && {
              args: container.args.map((arg) => (arg === BOOTSTRAP ? bootstrap : arg)),
            }),
            env: [...(container.env ?? []), ...env],
          },
    );
  return {
    ...rewritten.spec,
    containers: complete(rewritten.spec.containers),
    ...(rewritten.spec.initContainers && {
      initContainers: complete(rewritten.spec.initContainers),
    }),
  };
}

/** The kubelet leaves `$$(` as `$(`. */
function variable(name: string, value: string): EnvVar {
  return { name, value: value.replaceAll("$(", "$$$$(") };
}

function refused(path: string, message: string): Injection {
  return { kind: "refused", problems: [{ path, message }] };
}
