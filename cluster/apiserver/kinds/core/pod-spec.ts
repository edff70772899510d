/** Validation of a PodSpec, of a pod or a template (Kubernetes' `ValidatePodSpec`). */

import { isIP } from "node:net";
import type { PodSpec, PodTemplateSpec, Toleration } from "#cluster/api/generated/core-v1.ts";
import { check, validateLabels, validateTemplateMeta } from "#cluster/apiserver/kinds/meta.ts";
import { dns1123Label, dns1123Subdomain, qualifiedName } from "#cluster/apiserver/kinds/names.ts";
import * as problem from "#cluster/apiserver/schema/problem.ts";
import type { FieldProblem } from "#cluster/apiserver/schema/schema.ts";
import { validateContainers } from "./containers.ts";
import { validateVolumes } from "./volumes.ts";

export function validatePodSpec(spec: PodSpec, path: string): FieldProblem[] {
  const { serviceAccountName = "", nodeName = "", hostname = "", subdomain = "" } = spec;
  const optional = (
    name: string,
    value: string,
    rule: (text: string) => string[],
  ): FieldProblem[] => (value === "" ? [] : check(`${path}.${name}`, value, rule(value)));
  return [
    ...validateVolumes(spec.volumes ?? [], `${path}.volumes`),
    ...validateContainers(spec, path),
    ...validateLabels(spec.nodeSelector, `${path}.nodeSelector`),
    ...optional("serviceAccountName", serviceAccountName, dns1123Subdomain),
    ...optional("nodeName", nodeName, dns1123Subdomain),
    ...optional("hostname", hostname, dns1123Label),
    ...optional("subdomain", subdomain, dns1123Label),
    ...validateDns(spec, path),
    ...validateTolerations(spec.tolerations ?? [], `${path}.tolerations`),
    ...validateHostNetwork(spec, path),
    ...validateHostAliases(spec, `${path}.hostAliases`),
  ];
}

/** The template of a Deployment or ReplicaSet: its pods must restart for ever. */
export function validatePodTemplate(template: PodTemplateSpec, path: string): FieldProblem[] {
  const { metadata = {}, spec } = template;
  const problems = validateTemplateMeta(metadata, `${path}.metadata`);
  if (spec === undefined) return [...problems, problem.required(`${path}.spec`)];
  problems.push(...validatePodSpec(spec, `${path}.spec`));
  const { restartPolicy = "Always", activeDeadlineSeconds } = spec;
  if (restartPolicy !== "Always") {
    problems.push(problem.notSupported(`${path}.spec.restartPolicy`, restartPolicy, ["Always"]));
  }
  if (activeDeadlineSeconds !== undefined) {
    const detail = "activeDeadlineSeconds in ReplicaSet is not Supported";
    problems.push(problem.forbidden(`${path}.spec.activeDeadlineSeconds`, detail));
  }
  return problems;
}

const MAX_NAMESERVERS = 3;
const MAX_SEARCHES = 32;

function validateDns({ dnsPolicy, dnsConfig }: PodSpec, path: string): FieldProblem[] {
  const { nameservers = [], searches = [] } = dnsConfig ?? {};
  const at = `${path}.dnsConfig`;
  const problems: FieldProblem[] = [];
  if (dnsPolicy === "None" && nameservers.length === 0) {
    const detail = `must provide at least one DNS nameserver when \`dnsPolicy\` is None`;
    problems.push(problem.required(`${at}.nameservers`, detail));
  }
  if (nameservers.length > MAX_NAMESERVERS) {
    const detail = `must not have more than ${MAX_NAMESERVERS} nameservers`;
    problems.push(problem.invalid(`${at}.nameservers`, nameservers, detail));
  }
  if (searches.length > MAX_SEARCHES) {
    const detail = `must not have more than ${MAX_SEARCHES} search paths`;
    problems.push(problem.invalid(`${at}.searches`, searches, detail));
  }
  for (const [index, server] of nameservers.entries()) {
    if (isIP(server) !== 0) continue;
    const detail = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)";
    problems.push(problem.invalid(`${at}.nameservers[${index}]`, server, detail));
  }
  return problems;
}

function validateTolerations(tolerations: readonly Toleration[], path: string): FieldProblem[] {
  return tolerations.flatMap((toleration, index) => {
    const { key = "", operator = "Equal", value = "", effect = "", tolerationSeconds } = toleration;
    const at = `${path}[${index}]`;
    const problems = key === "" ? [] : check(`${at}.key`, key, qualifiedName(key));
    if (key === "" && operator !== "Exists") {
      const detail =
        'operator must be Exists when `key` is empty, which means "match all values and all keys"';
      problems.push(problem.invalid(`${at}.operator`, operator, detail));
    }
    if (operator === "Exists" && value !== "") {
      const detail = "value must be empty when `operator` is 'Exists'";
      problems.push(problem.invalid(`${at}.operator`, value, detail));
    }
    if (tolerationSeconds !== undefined && effect !== "NoExecute") {
      const detail = "effect must be 'NoExecute' when `tolerationSeconds` is set";
      problems.push(problem.invalid(`${at}.effect`, effect, detail));
    }
    return problems;
  });
}

function validateHostNetwork({ hostNetwork, containers }: PodSpec, path: string): FieldProblem[] {
  if (hostNetwork !== true) return [];
  return containers.flatMap((container, index) =>
    (container.ports ?? []).flatMap(({ hostPort, containerPort }, port) => {
      if (hostPort === undefined || hostPort === containerPort) return [];
      const field = `${path}.containers[${index}].ports[${port}].hostPort`;
      const detail = "must match `containerPort` when `hostNetwork` is true";
      return [problem.invalid(field, hostPort, detail)];
    }),
  );
}

function validateHostAliases({ hostAliases = [] }: PodSpec, path: string): FieldProblem[] {
  return hostAliases.flatMap(({ ip, hostnames = [] }, index) => [
    ...(isIP(ip) === 0
      ? [problem.invalid(`${path}[${index}].ip`, ip, "must be a valid IP address")]
      : []),
    ...hostnames.flatMap((name, place) =>
      check(`${path}[${index}].hostnames[${place}]`, name, dns1123Subdomain(name)),
    ),
  ]);
}
