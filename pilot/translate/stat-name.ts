/** Names of clusters in metrics (Istio, `outboundClusterStatName`). */

import type { MeshConfig } from "#pilot/model/mesh-config.ts";
import type { Service, ServicePort } from "#pilot/model/object.ts";
import type { RuleSubset } from "./merged-rule.ts";

/** The mesh's pattern, filled in; nothing where it has none. */
export function statName(
  service: Service,
  port: ServicePort,
  subset: RuleSubset | undefined,
  mesh: MeshConfig,
): { statName?: string } {
  return filled(mesh.outboundStatName, service, port, subset);
}

/** As `statName`, of a workload's own port (`inboundClusterStatName`). */
export function inboundStatName(
  service: Service,
  port: ServicePort,
  mesh: MeshConfig,
): { statName?: string } {
  return filled(mesh.inboundStatName, service, port, undefined);
}

function filled(
  pattern: string,
  service: Service,
  port: ServicePort,
  subset: RuleSubset | undefined,
): { statName?: string } {
  if (pattern === "") return {};
  const target = typeof port.targetPort === "number" ? port.targetPort : port.number;
  const values = new Map<string, string>([
    ["%SERVICE%", `${service.name}.${service.namespace}`],
    ["%SERVICE_NAME%", service.name],
    ["%SERVICE_FQDN%", service.host],
    ["%SERVICE_PORT%", String(port.number)],
    ["%SERVICE_PORT_NAME%", port.name],
    ["%TARGET_PORT%", String(target)],
    ["%SUBSET_NAME%", subset?.subset.name ?? ""],
  ]);
  const name = pattern.replaceAll(/%[A-Z_]+%/g, (operator) => values.get(operator) ?? operator);
  return { statName: name };
}
