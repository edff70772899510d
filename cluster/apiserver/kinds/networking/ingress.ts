/** Ingresses. */

import { isIP } from "node:net";
import type { KubeObject } from "#cluster/api/meta.ts";
import type {
  HTTPIngressPath,
  Ingress,
  IngressBackend,
  IngressRule,
  IngressTLS,
} from "#cluster/api/generated/networking-v1.ts";
import { AGE, NAME, NONE, shortened, text } from "#cluster/apiserver/kinds/columns.ts";
import type { Column, Strategy } from "#cluster/apiserver/kinds/kind.ts";
import { check } from "#cluster/apiserver/kinds/meta.ts";
import {
  dns1035Label,
  dns1123Host,
  dns1123Subdomain,
  portName,
} from "#cluster/apiserver/kinds/names.ts";
import { strategyOf } from "#cluster/apiserver/kinds/strategy.ts";
import * as problem from "#cluster/apiserver/schema/problem.ts";
import type { FieldProblem } from "#cluster/apiserver/schema/schema.ts";

const CLASS_ANNOTATION = "kubernetes.io/ingress.class";

export const INGRESS_STRATEGY: Strategy = strategyOf<Ingress>({
  prepare: (object, _old, { operation }) => {
    if (operation === "create") object.status = { loadBalancer: {} };
  },
  validate: ({ spec }) => {
    const { defaultBackend, rules = [], tls = [], ingressClassName } = spec ?? {};
    const problems: FieldProblem[] = [];
    if (rules.length === 0 && defaultBackend === undefined) {
      const detail = "either `defaultBackend` or `rules` must be specified";
      problems.push(problem.invalid("spec", spec ?? {}, detail));
    }
    if (defaultBackend !== undefined) {
      problems.push(...validateBackend(defaultBackend, "spec.defaultBackend"));
    }
    if (ingressClassName !== undefined) {
      const field = "spec.ingressClassName";
      problems.push(...check(field, ingressClassName, dns1123Subdomain(ingressClassName)));
    }
    return [
      ...problems,
      ...rules.flatMap((rule, index) => validateRule(rule, `spec.rules[${index}]`)),
      ...tls.flatMap((entry, index) => validateTls(entry, `spec.tls[${index}]`)),
    ];
  },
});

function validateRule({ host = "", http }: IngressRule, path: string): FieldProblem[] {
  return [
    ...(host === "" ? [] : validateHost(host, `${path}.host`)),
    ...(http?.paths ?? []).flatMap((entry, index) =>
      validatePath(entry, `${path}.http.paths[${index}]`),
    ),
  ];
}

function validateHost(host: string, path: string): FieldProblem[] {
  if (isIP(host) !== 0) {
    return [problem.invalid(path, host, "must be a DNS name, not an IP address")];
  }
  return check(path, host, dns1123Host(host));
}

const NOT_IN_PATHS = ["//", "/./", "/../", "%2f", "%2F"];
const NOT_AT_ENDS = ["/..", "/."];

function validatePath(entry: HTTPIngressPath, path: string): FieldProblem[] {
  const { path: text = "", pathType } = entry;
  const problems = validateBackend(entry.backend, `${path}.backend`);
  const field = `${path}.path`;
  if (pathType === "Exact" || pathType === "Prefix") {
    if (!text.startsWith("/")) {
      return [problem.invalid(field, text, "must be an absolute path"), ...problems];
    }
    for (const part of NOT_IN_PATHS.filter((part) => text.includes(part))) {
      problems.push(problem.invalid(field, text, `must not contain '${part}'`));
    }
    for (const end of NOT_AT_ENDS.filter((end) => text.endsWith(end))) {
      problems.push(problem.invalid(field, text, `cannot end with '${end}'`));
    }
  } else if (text !== "" && !text.startsWith("/")) {
    problems.push(problem.invalid(field, text, "must be an absolute path"));
  }
  return problems;
}

function validateBackend(backend: IngressBackend | undefined, path: string): FieldProblem[] {
  const { service, resource } = backend ?? {};
  if (service !== undefined && resource !== undefined) {
    const detail = "cannot set both resource and service backends";
    return [problem.invalid(path, "", detail)];
  }
  if (resource !== undefined) return [];
  if (service === undefined)
    return [problem.required(path, "resource or service backend is required")];
  const { name, port } = service;
  const at = `${path}.service`;
  const problems = check(`${at}.name`, name, dns1035Label(name));
  const number = port?.number ?? 0;
  const portText = port?.name ?? "";
  if (number !== 0 && portText !== "") {
    problems.push(problem.invalid(`${at}.port`, port, "cannot set both port name & port number"));
  } else if (portText !== "") {
    problems.push(...check(`${at}.port.name`, portText, portName(portText)));
  } else if (number === 0) {
    problems.push(problem.required(`${at}.port`, "port name or number is required"));
  } else if (number < 1 || number > 65535) {
    const detail = "must be between 1 and 65535, inclusive";
    problems.push(problem.invalid(`${at}.port.number`, number, detail));
  }
  return problems;
}

function validateTls({ hosts = [] }: IngressTLS, path: string): FieldProblem[] {
  return hosts.flatMap((host, index) => check(`${path}.hosts[${index}]`, host, dns1123Host(host)));
}

const ingress = (object: KubeObject): Ingress => object as unknown as Ingress;

export const INGRESS_COLUMNS: readonly Column[] = [
  NAME,
  text("Class", (object) => {
    const { metadata, spec } = ingress(object);
    return spec?.ingressClassName ?? metadata.annotations?.[CLASS_ANNOTATION] ?? NONE;
  }),
  text("Hosts", (object) => hostsText(ingress(object))),
  text("Address", (object) =>
    (ingress(object).status?.loadBalancer?.ingress ?? [])
      .map(({ ip, hostname }) => ip || hostname || "")
      .filter((address) => address !== "")
      .join(","),
  ),
  text("Ports", (object) => ((ingress(object).spec?.tls ?? []).length > 0 ? "80, 443" : "80")),
  AGE,
];

function hostsText({ spec }: Ingress): string {
  const hosts = (spec?.rules ?? []).map(({ host }) => host ?? "").filter((host) => host !== "");
  return hosts.length === 0 ? "*" : shortened(hosts);
}
