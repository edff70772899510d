/** A container that a pod's author wrote under an injected name, laid over the injected one. */

import type { Container } from "#cluster/api/generated/core-v1.ts";

/**
 * The author's fields win; lists with keys (env, ports, mounts) and resources are merged, `image:
 * auto` means the injector's. Follows Istio's merge of `istio-proxy` containers.
 */
export function override(injected: Container, authored: Container | undefined): Container {
  if (authored === undefined) return injected;
  const { image, env, ports, volumeMounts, resources, securityContext, lifecycle, ...rest } =
    authored;
  return {
    ...injected,
    ...rest,
    image: image === undefined || image === "auto" ? injected.image : image,
    env: mergeBy(injected.env, env, (entry) => entry.name),
    ports: mergeBy(
      injected.ports,
      ports,
      (port) => `${port.containerPort}/${port.protocol ?? "TCP"}`,
    ),
    volumeMounts: mergeBy(injected.volumeMounts, volumeMounts, (mount) => mount.mountPath),
    resources: {
      ...injected.resources,
      ...resources,
      requests: { ...injected.resources?.requests, ...resources?.requests },
      limits: { ...injected.resources?.limits, ...resources?.limits },
    },
    securityContext: { ...injected.securityContext, ...securityContext },
    lifecycle: { ...injected.lifecycle, ...lifecycle },
  };
}

function mergeBy<T>(
  base: readonly T[] | undefined,
  over: readonly T[] | undefined,
  keyOf: (item: T) => string,
): T[] {
  const merged = new Map((base ?? []).map((item) => [keyOf(item), item]));
  for (const item of over ?? []) merged.set(keyOf(item), item);
  return [...merged.values()];
}
