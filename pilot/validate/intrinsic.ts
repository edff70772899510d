/** Istio's own validation, as far as neither the schema nor translation says it: one object by itself. */

import type { IrProblem } from "#pilot/ir/scope-ir.ts";
import type {
  AnyConfigObject,
  DestinationRule,
  Gateway,
  Sidecar,
  VirtualService,
} from "#pilot/model/object.ts";

type Refuse = (path: string, reason: string, message: string) => void;

/** All are errors: nothing else in the world makes them right. */
export function intrinsicProblems(object: AnyConfigObject): IrProblem[] {
  const problems: IrProblem[] = [];
  const refuse: Refuse = (path, reason, message) => {
    problems.push({ object: object.key, path, severity: "error", reason, message });
  };
  if (object.kind === "VirtualService") checkVirtualService(object, refuse);
  else if (object.kind === "DestinationRule") checkDestinationRule(object, refuse);
  else if (object.kind === "Gateway") checkGateway(object, refuse);
  else if (object.kind === "Sidecar") checkSidecar(object, refuse);
  return problems;
}

function checkVirtualService({ spec }: VirtualService, refuse: Refuse): void {
  const { hosts = [], http = [], tls = [], tcp = [] } = spec;
  duplicates(hosts, (index) => `spec.hosts[${index}]`, refuse);
  if (http.length + tls.length + tcp.length === 0) {
    refuse("spec", "InvalidRules", "needs at least one rule in http, tls or tcp");
  }
  for (const [at, rule] of http.entries()) {
    const path = `spec.http[${at}]`;
    const actions = (["route", "redirect", "directResponse", "delegate"] as const).filter(
      (field) => rule[field] !== undefined,
    );
    if (actions.length === 0)
      refuse(path, "InvalidRule", "needs route, redirect, directResponse or delegate");
    if (actions.length > 1) {
      refuse(path, "InvalidRule", `has ${actions.join(" and ")}: only one of them can be done`);
    }
    if (rule.redirect !== undefined && rule.fault !== undefined) {
      refuse(`${path}.fault`, "InvalidRule", "a redirect has no fault");
    }
    if (rule.redirect !== undefined && rule.rewrite !== undefined) {
      refuse(`${path}.rewrite`, "InvalidRule", "a redirect is not rewritten");
    }
    weights(rule.route ?? [], `${path}.route`, refuse);
  }
  for (const [at, rule] of tcp.entries())
    weights(rule.route ?? [], `spec.tcp[${at}].route`, refuse);
  for (const [at, rule] of tls.entries()) {
    const path = `spec.tls[${at}]`;
    weights(rule.route ?? [], `${path}.route`, refuse);
    for (const [index, match] of (rule.match ?? []).entries()) {
      for (const [place, name] of (match.sniHosts ?? []).entries()) {
        if (hosts.some((host) => covers(host, name))) continue;
        const message = `${name} is not one of the hosts of this object`;
        refuse(`${path}.match[${index}].sniHosts[${place}]`, "InvalidServerName", message);
      }
    }
  }
}

function weights(routes: readonly { weight?: number }[], path: string, refuse: Refuse): void {
  if (routes.length < 2) return;
  const total = routes.reduce((sum, { weight = 0 }) => sum + weight, 0);
  if (total === 0) refuse(path, "InvalidWeights", "no destination has a weight");
}

function covers(host: string, name: string): boolean {
  if (host === name || host === "*") return true;
  return host.startsWith("*") && name.endsWith(host.slice(1));
}

function checkDestinationRule({ spec }: DestinationRule, refuse: Refuse): void {
  const names = (spec.subsets ?? []).map(({ name }) => name ?? "");
  duplicates(names, (index) => `spec.subsets[${index}].name`, refuse);
  const policies = [
    { path: "spec.trafficPolicy", policy: spec.trafficPolicy },
    ...(spec.subsets ?? []).map(({ trafficPolicy }, index) => ({
      path: `spec.subsets[${index}].trafficPolicy`,
      policy: trafficPolicy,
    })),
  ];
  for (const { path, policy } of policies) {
    const ports = (policy?.portLevelSettings ?? []).map(({ port }) => port?.number ?? 0);
    duplicates(ports, (index) => `${path}.portLevelSettings[${index}].port`, refuse);
  }
}

const TLS_PROTOCOLS = new Set(["HTTPS", "TLS"]);
const WITH_OWN_CERTIFICATE = new Set(["SIMPLE", "MUTUAL", "OPTIONAL_MUTUAL"]);

function checkGateway({ spec }: Gateway, refuse: Refuse): void {
  const servers = spec.servers ?? [];
  const names = servers.map(({ name = "" }) => name);
  for (const [index, name] of names.entries()) {
    if (name !== "" && names.indexOf(name) < index) {
      refuse(`spec.servers[${index}].name`, "DuplicateName", `${name} is another server's name`);
    }
  }
  for (const [index, { port, tls }] of servers.entries()) {
    const path = `spec.servers[${index}]`;
    const protocol = (port?.protocol ?? "").toUpperCase();
    const { mode = "PASSTHROUGH", httpsRedirect = false } = tls ?? {};
    if (TLS_PROTOCOLS.has(protocol) && tls === undefined) {
      refuse(`${path}.tls`, "InvalidTls", `a server of ${protocol} needs tls`);
    }
    if (TLS_PROTOCOLS.has(protocol) && httpsRedirect) {
      refuse(
        `${path}.tls.httpsRedirect`,
        "InvalidTls",
        "only plain HTTP can be redirected to HTTPS",
      );
    }
    if (tls === undefined || !TLS_PROTOCOLS.has(protocol) || !WITH_OWN_CERTIFICATE.has(mode))
      continue;
    const named =
      (tls.credentialName ?? "") !== "" ||
      (tls.credentialNames ?? []).length > 0 ||
      (tls.tlsCertificates ?? []).length > 0;
    const files = (tls.serverCertificate ?? "") !== "" && (tls.privateKey ?? "") !== "";
    if (named || files) continue;
    const message = `mode ${mode} needs credentialName, or serverCertificate and privateKey`;
    refuse(`${path}.tls`, "InvalidTls", message);
  }
}

function checkSidecar({ spec }: Sidecar, refuse: Refuse): void {
  const ports = (spec.ingress ?? []).map(({ port, bind = "" }) => `${bind}:${port?.number ?? 0}`);
  duplicates(ports, (index) => `spec.ingress[${index}].port`, refuse);
  const egress = spec.egress ?? [];
  const catchAll = egress.flatMap(({ port, bind }, index) =>
    port === undefined && (bind ?? "") === "" ? [index] : [],
  );
  for (const index of catchAll.slice(1)) {
    refuse(`spec.egress[${index}]`, "DuplicateListener", "another listener has no port either");
  }
}

function duplicates(
  values: readonly (string | number)[],
  pathOf: (index: number) => string,
  refuse: Refuse,
): void {
  const seen = new Set<string | number>();
  for (const [index, value] of values.entries()) {
    if (seen.has(value)) {
      refuse(pathOf(index), "DuplicateValue", `${JSON.stringify(value)} is there already`);
    }
    seen.add(value);
  }
}
