/** Names of the ConfigMaps and Secrets that a pod's spec mentions. */

import type { Pod, Volume } from "#cluster/api/generated/core-v1.ts";
import { allContainers } from "./pod-parts.ts";

export interface ReferencedNames {
  configMaps: Set<string>;
  secrets: Set<string>;
}

export function referencedNames(pod: Pod): ReferencedNames {
  const names: ReferencedNames = { configMaps: new Set(), secrets: new Set() };
  const add = (set: Set<string>, name: string | undefined): void => {
    if (name !== undefined && name !== "") set.add(name);
  };
  for (const { name } of pod.spec?.imagePullSecrets ?? []) add(names.secrets, name);
  for (const container of allContainers(pod)) {
    for (const from of container.envFrom ?? []) {
      add(names.configMaps, from.configMapRef?.name);
      add(names.secrets, from.secretRef?.name);
    }
    for (const { valueFrom } of container.env ?? []) {
      add(names.configMaps, valueFrom?.configMapKeyRef?.name);
      add(names.secrets, valueFrom?.secretKeyRef?.name);
    }
  }
  for (const volume of pod.spec?.volumes ?? []) {
    for (const source of fileSources(volume)) {
      add(names.configMaps, source.configMap?.name);
      add(names.secrets, source.secret);
    }
  }
  return names;
}

function fileSources(volume: Volume): { configMap?: { name?: string }; secret?: string }[] {
  const projected = (volume.projected?.sources ?? []).map(({ configMap, secret }) => ({
    configMap,
    secret: secret?.name,
  }));
  return [{ configMap: volume.configMap, secret: volume.secret?.secretName }, ...projected];
}
