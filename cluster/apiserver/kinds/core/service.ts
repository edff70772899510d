/** Services. Addresses and node ports are handed out by the API server's allocators. */

import { isIP } from "node:net";
import type { KubeObject } from "#cluster/api/meta.ts";
import type { Service, ServicePort, ServiceSpec } from "#cluster/api/generated/core-v1.ts";
import {
  AGE,
  joined,
  labelText,
  NAME,
  NONE,
  text,
  UNKNOWN,
  wide,
} from "#cluster/apiserver/kinds/columns.ts";
import type { Column, Strategy } from "#cluster/apiserver/kinds/kind.ts";
import { check, validateLabels } from "#cluster/apiserver/kinds/meta.ts";
import {
  dns1035Label,
  dns1123Label,
  dns1123Subdomain,
  portName,
} from "#cluster/apiserver/kinds/names.ts";
import { strategyOf } from "#cluster/apiserver/kinds/strategy.ts";
import { isObject, objectsAt, type JsonObject } from "#cluster/apiserver/schema/json.ts";
import * as problem from "#cluster/apiserver/schema/problem.ts";
import type { FieldProblem } from "#cluster/apiserver/schema/schema.ts";
import { carryOver } from "./service-update.ts";

const HEADLESS = "None";

export const SERVICE_STRATEGY: Strategy = strategyOf<Service>({
  applyDefaults: ({ spec }) => {
    if (isObject(spec)) defaultSpec(spec);
  },
  prepare: (object, old, { operation }) => {
    if (operation === "create") object.status = { loadBalancer: {} };
    if (old !== undefined && isObject(object.spec) && isObject(old.spec)) {
      carryOver(object.spec, old.spec);
    }
  },
  validate: ({ metadata, spec }) =>
    spec === undefined
      ? [problem.required("spec")]
      : [
          ...check("metadata.name", metadata.name, dns1035Label(metadata.name)),
          ...validateSpec(spec),
        ],
  validateUpdate: (object, old) => {
    const before = old.spec?.clusterIP ?? "";
    const after = object.spec?.clusterIP ?? "";
    const usesAddress = object.spec?.type !== "ExternalName" && old.spec?.type !== "ExternalName";
    if (!usesAddress || before === "" || before === after) return [];
    const detail = after === "" ? "primary clusterIP can not be unset" : "may not change once set";
    return [problem.invalid("spec.clusterIPs[0]", object.spec?.clusterIPs ?? [after], detail)];
  },
  selectableFields: ({ spec }) => ({
    "spec.clusterIP": spec?.clusterIP ?? "",
    "spec.type": spec?.type ?? "",
  }),
});

function defaultSpec(spec: JsonObject): void {
  const outside = spec["type"] === "NodePort" || spec["type"] === "LoadBalancer";
  if (spec["type"] !== "ExternalName") {
    spec["internalTrafficPolicy"] ??= "Cluster";
    spec["ipFamilies"] ??= ["IPv4"];
    spec["ipFamilyPolicy"] ??= "SingleStack";
  }
  if (outside) spec["externalTrafficPolicy"] ??= "Cluster";
  if (spec["type"] === "LoadBalancer") spec["allocateLoadBalancerNodePorts"] ??= true;
  if (spec["sessionAffinity"] === "ClientIP") {
    spec["sessionAffinityConfig"] ??= { clientIP: { timeoutSeconds: 10800 } };
  }
  if (spec["clusterIP"] === HEADLESS) spec["clusterIPs"] ??= [HEADLESS];
  for (const port of objectsAt(spec, "ports")) {
    const target = port["targetPort"];
    if (target === undefined || target === 0 || target === "") port["targetPort"] = port["port"];
  }
}

function validateSpec(spec: ServiceSpec): FieldProblem[] {
  const { type, clusterIP = "", ports = [], externalName = "" } = spec;
  const problems = [
    ...validatePorts(ports),
    ...validateLabels(spec.selector, "spec.selector"),
    ...validateAddresses(spec),
  ];
  if (ports.length === 0 && type !== "ExternalName" && clusterIP !== HEADLESS) {
    problems.push(problem.required("spec.ports"));
  }
  if (type === "ExternalName") {
    const name = externalName.replace(/\.$/, "");
    if (name === "") problems.push(problem.required("spec.externalName"));
    else problems.push(...check("spec.externalName", name, dns1123Subdomain(name)));
    if (clusterIP !== "") {
      const detail = "may not be set when type is ExternalName";
      problems.push(problem.forbidden("spec.clusterIP", detail));
    }
  }
  if (clusterIP === HEADLESS && type === "LoadBalancer") {
    const detail = "may not be set to 'None' for LoadBalancer services";
    problems.push(problem.invalid("spec.clusterIPs[0]", clusterIP, detail));
  }
  if (clusterIP !== "" && clusterIP !== HEADLESS && isIP(clusterIP) === 0) {
    problems.push(problem.invalid("spec.clusterIPs[0]", clusterIP, BAD_ADDRESS));
  }
  const outside = type === "NodePort" || type === "LoadBalancer";
  if (
    spec.externalTrafficPolicy !== undefined &&
    !outside &&
    (spec.externalIPs ?? []).length === 0
  ) {
    const detail = "may only be set for externally-accessible services";
    const field = "spec.externalTrafficPolicy";
    problems.push(problem.invalid(field, spec.externalTrafficPolicy, detail));
  }
  return problems;
}

const BAD_ADDRESS = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)";

function validateAddresses(spec: ServiceSpec): FieldProblem[] {
  const problems = (spec.externalIPs ?? []).flatMap((address, index) =>
    isIP(address) === 0
      ? [problem.invalid(`spec.externalIPs[${index}]`, address, BAD_ADDRESS)]
      : [],
  );
  for (const [index, range] of (spec.loadBalancerSourceRanges ?? []).entries()) {
    const [address = "", length = ""] = range.trim().split("/");
    if (isIP(address) !== 0 && /^\d{1,3}$/.test(length)) continue;
    const detail = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)";
    problems.push(problem.invalid(`spec.loadBalancerSourceRanges[${index}]`, range, detail));
  }
  return problems;
}

function validatePorts(ports: readonly ServicePort[]): FieldProblem[] {
  const names = new Set<string>();
  const pairs = new Set<string>();
  return ports.flatMap((port, index) => {
    const at = `spec.ports[${index}]`;
    const { name = "", protocol = "TCP", targetPort } = port;
    const problems: FieldProblem[] = [];
    if (name !== "") problems.push(...check(`${at}.name`, name, dns1123Label(name)));
    else if (ports.length > 1) problems.push(problem.required(`${at}.name`));
    if (name !== "" && names.has(name)) problems.push(problem.duplicate(`${at}.name`, name));
    names.add(name);
    const pair = { protocol, port: port.port };
    if (pairs.has(JSON.stringify(pair))) problems.push(problem.duplicate(at, pair));
    pairs.add(JSON.stringify(pair));
    if (typeof targetPort === "string") {
      problems.push(...check(`${at}.targetPort`, targetPort, portName(targetPort)));
    } else if (targetPort !== undefined && (targetPort < 1 || targetPort > 65535)) {
      const detail = "must be between 1 and 65535, inclusive";
      problems.push(problem.invalid(`${at}.targetPort`, targetPort, detail));
    }
    return problems;
  });
}

const service = (object: KubeObject): Service => object as unknown as Service;

export const SERVICE_COLUMNS: readonly Column[] = [
  NAME,
  text("Type", (object) => service(object).spec?.type ?? ""),
  text("Cluster-IP", (object) => {
    const { type, clusterIP = "" } = service(object).spec ?? {};
    return clusterIP === "" && type !== "LoadBalancer" ? NONE : clusterIP || UNKNOWN;
  }),
  text("External-IP", (object) => externalAddress(service(object))),
  text("Port(s)", (object) => joined((service(object).spec?.ports ?? []).map(portText))),
  AGE,
  wide(text("Selector", (object) => labelText(service(object).spec?.selector ?? {}))),
];

function portText({ port, nodePort = 0, protocol = "TCP" }: ServicePort): string {
  return nodePort === 0 ? `${port}/${protocol}` : `${port}:${nodePort}/${protocol}`;
}

function externalAddress({ spec, status }: Service): string {
  const externalIPs = spec?.externalIPs ?? [];
  if (spec?.type === "ExternalName") return spec.externalName || NONE;
  if (spec?.type !== "LoadBalancer") return joined(externalIPs);
  const ingress = (status?.loadBalancer?.ingress ?? []).map(
    ({ ip, hostname }) => ip || hostname || "",
  );
  const addresses = [...new Set([...ingress.filter((text) => text !== ""), ...externalIPs])];
  return addresses.length === 0 ? "<pending>" : addresses.join(",");
}
