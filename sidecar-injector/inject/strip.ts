/** Takes an earlier injection out of a pod, so that injecting again gives what once would give. */

import type { Container, PodSpec } from "#cluster/api/generated/core-v1.ts";
import { PROXY_CONTAINER } from "./containers.ts";
import { STATUS } from "./decide.ts";
import { type Labels, type PodInput, own } from "./pod-input.ts";
import { OVERRIDES, readOverrides, reinsertOverrides } from "./override.ts";
import { PROBERS, restoreProbes } from "./probes.ts";
import { SCRAPING, restorePrometheus } from "./prometheus.ts";

/** Names of what was added, as `sidecar.istio.io/status` tells. */
export interface InjectionStatus {
  initContainers: readonly string[] | null;
  containers: readonly string[] | null;
  volumes: readonly string[] | null;
  imagePullSecrets: readonly string[] | null;
  revision: string;
}

/** The pod itself where it was never injected. Labels that injection added stay: they say the same. */
export function withoutInjection(pod: PodInput, statusPort: number): PodInput {
  const annotations = pod.metadata?.annotations ?? {};
  const status = parseStatus(own(annotations, STATUS));
  const proxy = status === undefined || !pod.spec ? undefined : proxyOf(pod.spec);
  // A placeholder has never been injected: its status was copied from another pod.
  if (status === undefined || pod.spec === undefined || proxy?.image === "auto") return pod;
  const variable = (name: string): string | undefined =>
    proxy?.env?.find((entry) => entry.name === name)?.value?.replaceAll("$$(", "$(");
  const probers = variable(PROBERS);
  const spec = reinsertOverrides(withoutAdded(pod.spec, status), readOverrides(pod));
  return {
    ...pod,
    metadata: {
      ...pod.metadata,
      annotations: {
        ...restorePrometheus(
          withoutKeys(annotations, [STATUS, OVERRIDES]),
          variable(SCRAPING),
          statusPort,
        ),
      },
    },
    spec: probers === undefined ? spec : restoreProbes(spec, probers),
  };
}

function withoutAdded(spec: PodSpec, status: InjectionStatus): PodSpec {
  const keep =
    (names: readonly string[] | null) =>
    <T extends { name?: string }>(items: readonly T[] | undefined): T[] | undefined => {
      const kept = items?.filter(({ name }) => !(names ?? []).includes(name ?? ""));
      return kept === undefined || kept.length === 0 ? undefined : kept;
    };
  const { initContainers, volumes, imagePullSecrets, ...rest } = spec;
  const left = {
    initContainers: keep(status.initContainers)(initContainers),
    volumes: keep(status.volumes)(volumes),
    imagePullSecrets: keep(status.imagePullSecrets)(imagePullSecrets),
  };
  return {
    ...rest,
    ...(left.initContainers && { initContainers: left.initContainers }),
    ...(left.volumes && { volumes: left.volumes }),
    ...(left.imagePullSecrets && { imagePullSecrets: left.imagePullSecrets }),
    containers: keep(status.containers)(spec.containers) ?? [],
  };
}

function proxyOf(spec: PodSpec): Container | undefined {
  const all = [...(spec.initContainers ?? []), ...spec.containers];
  return all.find(({ name }) => name === PROXY_CONTAINER);
}

function parseStatus(text: string | undefined): InjectionStatus | undefined {
  try {
    const value: unknown = JSON.parse(text ?? "null");
    if (typeof value !== "object" || value === null) return undefined;
    const names = (field: string): string[] | null => {
      const list = new Map(Object.entries(value)).get(field);
      return Array.isArray(list) ? list.filter((one) => typeof one === "string") : null;
    };
    return {
      initContainers: names("initContainers"),
      containers: names("containers"),
      volumes: names("volumes"),
      imagePullSecrets: names("imagePullSecrets"),
      revision: "",
    };
  } catch {
    return undefined;
  }
}

function withoutKeys(map: Labels, keys: readonly string[]): Labels {
  return Object.fromEntries(Object.entries(map).filter(([key]) => !keys.includes(key)));
}
