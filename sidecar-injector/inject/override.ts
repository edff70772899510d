/** Containers that a pod's author wrote under an injected name, laid over the injected ones. */

import { applyStrategicMergePatch } from "#cluster/apiserver/patch/strategic-merge.ts";
import type { Container, LifecycleHandler, PodSpec } from "#cluster/api/generated/core-v1.ts";
import { own, type PodInput } from "./pod-input.ts";

/** What `proxy.istio.io/overrides` keeps for a second injection. */
export interface Overrides {
  containers?: Container[];
  initContainers?: Container[];
}

export const OVERRIDES = "proxy.istio.io/overrides";

/**
 * The author's fields win, by a strategic merge as kubectl's; `image: auto` means the injector's.
 * A handler of a probe or hook replaces the injected one: two of them would be refused.
 */
export function override(injected: Container, authored: Container | undefined): Container {
  if (authored === undefined) return injected;
  const merged = applyStrategicMergePatch(
    { $ref: "io.k8s.api.core.v1.Container" },
    withoutReplacedHandlers(injected, authored),
    withoutPlaceholder(authored),
  );
  // The author's container is as the API server has let it pass.
  if (!merged.ok) throw new Error(`${authored.name}: ${merged.message}`);
  return merged.result as Container;
}

/** `auto` is a placeholder for a field that the API server insists on. */
export function withoutPlaceholder(container: Container): Container {
  const { image, ...rest } = container;
  return image === undefined || image === "auto" ? rest : { ...rest, image };
}

/** Undefined where the pod has none, or something that isn't ours. */
export function readOverrides(pod: PodInput): Overrides | undefined {
  const text = own(pod.metadata?.annotations ?? {}, OVERRIDES);
  if (text === undefined) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== "object" || value === null) return undefined;
    const { containers, initContainers } = value as Record<string, unknown>;
    return {
      ...(isContainers(containers) && { containers }),
      ...(isContainers(initContainers) && { initContainers }),
    };
  } catch {
    return undefined;
  }
}

/** Puts back what an earlier injection has taken as overrides. */
export function reinsertOverrides(spec: PodSpec, overrides: Overrides | undefined): PodSpec {
  const missing = (from: Container[] = [], present: readonly Container[] = []): Container[] =>
    from
      .filter(({ name }) => !present.some((one) => one.name === name))
      .map((container) => ({ image: "auto", ...container }));
  const initContainers = [
    ...(spec.initContainers ?? []),
    ...missing(overrides?.initContainers, spec.initContainers),
  ];
  return {
    ...spec,
    containers: [...spec.containers, ...missing(overrides?.containers, spec.containers)],
    ...(initContainers.length > 0 && { initContainers }),
  };
}

const PROBES = ["livenessProbe", "readinessProbe", "startupProbe"] as const;
const HANDLERS = ["exec", "grpc", "httpGet", "sleep", "tcpSocket"];

function withoutReplacedHandlers(injected: Container, authored: Container): Container {
  const result = { ...injected };
  for (const field of PROBES) {
    const probe = injected[field];
    if (probe && hasHandler(authored[field])) result[field] = withoutHandlers(probe);
  }
  const { postStart, preStop, ...lifecycle } = injected.lifecycle ?? {};
  const kept = (hook: LifecycleHandler | undefined, by: LifecycleHandler | undefined) =>
    hook && hasHandler(by) ? undefined : hook;
  const hooks = {
    postStart: kept(postStart, authored.lifecycle?.postStart),
    preStop: kept(preStop, authored.lifecycle?.preStop),
  };
  result.lifecycle = {
    ...lifecycle,
    ...(hooks.postStart && { postStart: hooks.postStart }),
    ...(hooks.preStop && { preStop: hooks.preStop }),
  };
  return result;
}

function hasHandler(handler: object | undefined): boolean {
  return handler !== undefined && HANDLERS.some((name) => name in handler);
}

function withoutHandlers<T extends object>(handler: T): T {
  const rest = Object.entries(handler).filter(([name]) => !HANDLERS.includes(name));
  return Object.fromEntries(rest) as T;
}

function isContainers(value: unknown): value is Container[] {
  return (
    Array.isArray(value) &&
    value.every(
      (item: unknown) => typeof item === "object" && item !== null && "name" in item && !!item.name,
    )
  );
}
