/** A container's environment: service variables, envFrom, then env, each seeing those before. */

import type { ConfigMap, Container, Pod, Secret, Service } from "#cluster/api/generated/core-v1.ts";
import { type NodeFacts, fieldValue, resourceValue } from "./downward.ts";
import { expand } from "./expansion.ts";

export interface EnvSources {
  configMap(name: string): ConfigMap | undefined;
  secret(name: string): Secret | undefined;
  /** Services whose variables the container gets. */
  services: readonly Service[];
  facts: NodeFacts;
  podIp: string | undefined;
}

export type EnvResult =
  | { ok: true; env: Map<string, string>; skipped: readonly string[] }
  | { ok: false; message: string };

const NAME = /^[!-<>-~]+$/;

/** Fails with the kubelet's words when something that isn't optional is missing. */
export function buildEnv(pod: Pod, container: Container, sources: EnvSources): EnvResult {
  const env = new Map(sources.services.flatMap(serviceVariables));
  const own = new Map<string, string>();
  const skipped: string[] = [];
  for (const from of container.envFrom ?? []) {
    const found = envFromValues(from, sources);
    if (!found.ok) return found;
    for (const [key, value] of found.values) {
      const name = `${from.prefix ?? ""}${key}`;
      if (NAME.test(name)) own.set(name, value);
      else skipped.push(name);
    }
  }
  for (const variable of container.env ?? []) {
    const { name, value, valueFrom } = variable;
    if (value !== undefined && value !== "") {
      own.set(name, expand(value, new Map([...env, ...own])));
    } else if (valueFrom !== undefined) {
      const found = valueFromSource(pod, container, valueFrom, sources);
      if (!found.ok) return found;
      if (found.value !== undefined) own.set(name, found.value);
    } else {
      own.set(name, "");
    }
  }
  for (const [name, value] of own) env.set(name, value);
  return { ok: true, env, skipped };
}

type ValuesResult = { ok: true; values: [string, string][] } | { ok: false; message: string };

function envFromValues(
  from: NonNullable<Container["envFrom"]>[number],
  sources: EnvSources,
): ValuesResult {
  if (from.configMapRef !== undefined) {
    const { name = "", optional } = from.configMapRef;
    const map = sources.configMap(name);
    if (map === undefined && optional !== true) return missing("configmap", name);
    return { ok: true, values: Object.entries(map?.data ?? {}) };
  }
  if (from.secretRef !== undefined) {
    const { name = "", optional } = from.secretRef;
    const secret = sources.secret(name);
    if (secret === undefined && optional !== true) return missing("secret", name);
    return {
      ok: true,
      values: Object.entries(secret?.data ?? {}).map(([key, value]) => [key, decode(value)]),
    };
  }
  return { ok: true, values: [] };
}

type ValueResult = { ok: true; value: string | undefined } | { ok: false; message: string };

function valueFromSource(
  pod: Pod,
  container: Container,
  from: NonNullable<NonNullable<Container["env"]>[number]["valueFrom"]>,
  sources: EnvSources,
): ValueResult {
  if (from.fieldRef !== undefined) {
    return fieldValue(pod, from.fieldRef.fieldPath, sources.facts, sources.podIp);
  }
  if (from.resourceFieldRef !== undefined) {
    return resourceValue(pod, from.resourceFieldRef, sources.facts, container);
  }
  const { configMapKeyRef, secretKeyRef } = from;
  if (configMapKeyRef !== undefined) {
    const { name = "", key, optional } = configMapKeyRef;
    const data = sources.configMap(name)?.data;
    return keyed({ kind: "configmap", name, key, optional, data, namespace: namespaceOf(pod) });
  }
  if (secretKeyRef !== undefined) {
    const { name = "", key, optional } = secretKeyRef;
    const data = sources.secret(name)?.data;
    const found = keyed({
      kind: "secret",
      name,
      key,
      optional,
      data,
      namespace: namespaceOf(pod),
    });
    return found.ok && found.value !== undefined ? { ok: true, value: decode(found.value) } : found;
  }
  return { ok: false, message: "env variable has an unsupported valueFrom" };
}

function keyed(reference: {
  kind: string;
  name: string;
  key: string;
  optional: boolean | undefined;
  data: Readonly<Record<string, string>> | undefined;
  namespace: string;
}): ValueResult {
  const { kind, name, key, optional, data, namespace } = reference;
  if (data !== undefined && Object.hasOwn(data, key)) return { ok: true, value: data[key] };
  if (optional === true) return { ok: true, value: undefined };
  if (data === undefined) return missing(kind, name);
  const shown = kind === "secret" ? "Secret" : "ConfigMap";
  return { ok: false, message: `couldn't find key ${key} in ${shown} ${namespace}/${name}` };
}

function missing(kind: string, name: string): { ok: false; message: string } {
  return { ok: false, message: `${kind} "${name}" not found` };
}

function namespaceOf(pod: Pod): string {
  return pod.metadata.namespace ?? "default";
}

function decode(base64: string): string {
  return Buffer.from(base64, "base64").toString("utf8");
}

/** `NAME_SERVICE_HOST` and its relatives (Docker links' names) of a Service with a ClusterIP. */
function serviceVariables(service: Service): [string, string][] {
  const { clusterIP, ports = [] } = service.spec ?? {};
  const [first] = ports;
  if (clusterIP === undefined || clusterIP === "" || clusterIP === "None" || first === undefined) {
    return [];
  }
  const prefix = envName(service.metadata.name);
  const variables: [string, string][] = [
    [`${prefix}_SERVICE_HOST`, clusterIP],
    [`${prefix}_SERVICE_PORT`, String(first.port)],
    ...ports.flatMap(({ name, port }): [string, string][] =>
      name === undefined || name === ""
        ? []
        : [[`${prefix}_SERVICE_PORT_${envName(name)}`, String(port)]],
    ),
  ];
  const urlOf = (port: number, protocol: string) => `${protocol}://${clusterIP}:${port}`;
  variables.push([`${prefix}_PORT`, urlOf(first.port, (first.protocol ?? "TCP").toLowerCase())]);
  for (const { port, protocol = "TCP" } of ports) {
    const link = `${prefix}_PORT_${port}_${protocol}`;
    variables.push(
      [link, urlOf(port, protocol.toLowerCase())],
      [`${link}_PROTO`, protocol.toLowerCase()],
      [`${link}_PORT`, String(port)],
      [`${link}_ADDR`, clusterIP],
    );
  }
  return variables;
}

function envName(name: string): string {
  return name.toUpperCase().replaceAll("-", "_");
}
