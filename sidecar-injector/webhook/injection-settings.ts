/** What the administrator has decided, as it is now in the cluster: ConfigMaps and ProxyConfigs. */

import type { ConfigMap } from "#cluster/api/generated/core-v1.ts";
import { CONFIG_MAPS, type Resource } from "#cluster/api/resources.ts";
import type { KubeClient } from "#cluster/client/client.ts";
import { createInformer } from "#cluster/client/create-informer.ts";
import { type Log, stderrLog } from "#cluster/client/log.ts";
import type { InjectorConfig } from "#sidecar-injector/inject/config.ts";
import type { Labels } from "#sidecar-injector/inject/pod-input.ts";
import { injectorConfig } from "#sidecar-injector/inject/injector-values.ts";
import type { SelectedProxyConfigs } from "#sidecar-injector/inject/settings.ts";
import { selectProxyConfigs } from "./proxy-configs.ts";

export interface InjectionSettings {
  config: InjectorConfig;
  /** ProxyConfig objects of a pod with these labels. */
  proxyConfigs: (namespace: string, labels: Labels) => SelectedProxyConfigs;
}

export interface FollowOptions {
  client: KubeClient;
  /** What the ConfigMaps don't say. */
  base: InjectorConfig;
  /** Namespace of the mesh; default `istio-system`. */
  namespace?: string;
  signal: AbortSignal;
  log?: Log;
}

export interface FollowedSettings {
  /** The newest; complete once `synced`. */
  current: () => InjectionSettings;
  synced: Promise<void>;
  /** Ends with the signal. */
  running: Promise<void>;
}

export const PROXY_CONFIGS: Resource = {
  group: "networking.istio.io",
  version: "v1beta1",
  plural: "proxyconfigs",
  kind: "ProxyConfig",
  namespaced: true,
};

/** ConfigMaps of the mesh's namespace that are read, and the entries of each. */
export const SETTINGS_CONFIG_MAPS = ["istio", "istio-sidecar-injector"] as const;

/** Follows the cluster; a setting that can't be followed is logged, and the rest holds. */
export function followSettings(options: FollowOptions): FollowedSettings {
  const { client, base, signal, namespace = "istio-system", log = stderrLog } = options;
  const [mesh, injector] = SETTINGS_CONFIG_MAPS.map((name) =>
    createInformer(client, CONFIG_MAPS, { namespace, fieldSelector: `metadata.name=${name}` }),
  );
  const objects = createInformer(client, PROXY_CONFIGS);
  const configMaps = [mesh, injector].filter((one) => one !== undefined);
  const read = (informer: typeof mesh): ConfigMap["data"] =>
    informer?.lister.list(namespace)[0]?.data;
  let config = base;
  const refresh = (): void => {
    const { config: settings, values } = read(injector) ?? {};
    const result = injectorConfig({ mesh: read(mesh)?.mesh, config: settings, values }, base);
    for (const { path, message } of result.problems) log(`injector: ${path}: ${message}`);
    config = result.config;
  };
  for (const informer of configMaps) informer.onChange(refresh);
  const informers = [...configMaps, objects];
  const running = Promise.all(informers.map((informer) => informer.run(signal)));
  return {
    current: () => ({
      config,
      proxyConfigs: (at, labels) =>
        selectProxyConfigs(objects.lister.list(), {
          namespace: at,
          labels,
          rootNamespace: namespace,
        }),
    }),
    synced: Promise.race([
      Promise.all(informers.map(({ synced }) => synced)).then(() => undefined),
      running.then(() => undefined),
    ]),
    running: running.then(() => undefined),
  };
}
