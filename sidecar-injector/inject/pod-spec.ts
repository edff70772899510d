/** Where in a pod what is added goes: containers in Istio's order, volumes, secrets, search domains. */

import type { Container, PodSpec, Volume } from "#cluster/api/generated/core-v1.ts";
import type { InjectorConfig } from "./config.ts";
import {
  BOOTSTRAP_VOLUME,
  CA_VOLUME,
  INIT_CONTAINER,
  PROXY_CONTAINER,
  initContainer,
  proxyContainer,
} from "./containers.ts";
import { override } from "./override.ts";
import type { ProxySettings } from "./settings.ts";

/** What a pod's author wrote under the names of injected containers. */
export interface AuthoredContainers {
  proxy?: Container;
  init?: Container;
}

export function authoredContainers(spec: PodSpec): AuthoredContainers {
  const all = [...spec.containers, ...(spec.initContainers ?? [])];
  const proxy = all.find(({ name }) => name === PROXY_CONTAINER);
  const init = all.find(({ name }) => name === INIT_CONTAINER);
  return { ...(proxy && { proxy }), ...(init && { init }) };
}

/** The pod with the built-in sidecar or gateway, before templates and overrides. */
export function withProxy(
  spec: PodSpec,
  settings: ProxySettings,
  config: InjectorConfig,
  authored: AuthoredContainers,
): PodSpec {
  const uid = authored.proxy?.securityContext?.runAsUser ?? 0;
  const redirect = { ...settings.redirect, ...(uid > 0 && { proxyUid: uid }) };
  const proxy = proxyContainer(settings, config);
  const init =
    settings.interception === "REDIRECT" ? [initContainer({ ...settings, redirect }, config)] : [];
  const apps = withoutInjected(spec.containers);
  const inits = withoutInjected(spec.initContainers ?? []);
  return withSecretsAndSearches(
    {
      ...spec,
      ...(settings.gateway && { securityContext: gatewaySecurity(spec) }),
      volumes: added(spec.volumes, volumesOf(settings, config)),
      containers: settings.native ? apps : [...apps, proxy],
      ...(inits.length + init.length > 0 || settings.native
        ? { initContainers: [...init, ...(settings.native ? [proxy] : []), ...inits] }
        : {}),
    },
    config,
  );
}

/** The author's fields over the injected ones, wherever the container is now. */
export function withOverrides(spec: PodSpec, authored: AuthoredContainers): PodSpec {
  const lay = (container: Container): Container => {
    if (container.name === PROXY_CONTAINER) return override(container, authored.proxy);
    return container.name === INIT_CONTAINER ? override(container, authored.init) : container;
  };
  return {
    ...spec,
    containers: spec.containers.map(lay),
    ...(spec.initContainers && { initContainers: spec.initContainers.map(lay) }),
  };
}

/**
 * Istio's order. A native proxy runs before all other init containers, right after the redirect, so
 * that they are in the mesh; a classic one comes up after them, so the redirect must be set last.
 */
export function ordered(spec: PodSpec, settings: ProxySettings): PodSpec {
  const inits = spec.initContainers ?? [];
  const native = inits.some(({ name }) => name === PROXY_CONTAINER);
  const initContainers = native
    ? first(first(inits, PROXY_CONTAINER), INIT_CONTAINER)
    : last(inits, INIT_CONTAINER);
  const place = settings.holdApplication && !settings.gateway ? first : last;
  return {
    ...spec,
    containers: place(spec.containers, PROXY_CONTAINER),
    ...(spec.initContainers && { initContainers }),
  };
}

function volumesOf(settings: ProxySettings, { rootCa }: InjectorConfig): Volume[] {
  const { bootstrapOverride } = settings;
  return [
    ...(rootCa.kind === "inline"
      ? []
      : [
          {
            name: CA_VOLUME,
            configMap: { name: rootCa.name, items: [{ key: rootCa.key, path: "root-cert.pem" }] },
          },
        ]),
    ...(bootstrapOverride === undefined
      ? []
      : [{ name: BOOTSTRAP_VOLUME, configMap: { name: bootstrapOverride } }]),
    ...settings.volumes,
  ];
}

/** Lets Envoy, which isn't root, listen on 80 and 443 (a safe sysctl: the pod's own). */
function gatewaySecurity(spec: PodSpec): PodSpec["securityContext"] {
  const sysctls = [{ name: "net.ipv4.ip_unprivileged_port_start", value: "0" }];
  return { sysctls, ...spec.securityContext };
}

function withSecretsAndSearches(spec: PodSpec, config: InjectorConfig): PodSpec {
  const { imagePullSecrets, dnsSearches } = config;
  const searches = [...new Set([...(spec.dnsConfig?.searches ?? []), ...dnsSearches])];
  return {
    ...spec,
    ...(imagePullSecrets.length > 0 && {
      imagePullSecrets: added(
        spec.imagePullSecrets,
        imagePullSecrets.map((name) => ({ name })),
      ),
    }),
    ...(dnsSearches.length > 0 && { dnsConfig: { ...spec.dnsConfig, searches } }),
  };
}

/** By name; what injection adds wins. */
function added<T extends { name?: string }>(present: readonly T[] | undefined, more: T[]): T[] {
  const names = new Set(more.map(({ name }) => name));
  return [...(present ?? []).filter(({ name }) => !names.has(name)), ...more];
}

function withoutInjected(containers: readonly Container[]): Container[] {
  return containers.filter(({ name }) => name !== PROXY_CONTAINER && name !== INIT_CONTAINER);
}

function first(containers: readonly Container[], name: string): Container[] {
  return containers.toSorted((a, b) => Number(b.name === name) - Number(a.name === name));
}

function last(containers: readonly Container[], name: string): Container[] {
  return containers.toSorted((a, b) => Number(a.name === name) - Number(b.name === name));
}
