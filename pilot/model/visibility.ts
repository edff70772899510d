/** Who may see an object: its `exportTo`, the mesh's default, and the reader's namespace. */

import type { MeshConfig } from "./mesh-config.ts";
import type { DestinationRule, Service, VirtualService } from "./object.ts";

/** `*` everyone, `.` the own namespace, `~` no one, otherwise names of namespaces. */
export function isExportedTo(
  object: { readonly namespace: string },
  exportTo: readonly string[],
  reader: string,
): boolean {
  return exportTo.some(
    (entry) =>
      entry === "*" ||
      (entry === "." && object.namespace === reader) ||
      (entry !== "~" && entry === reader),
  );
}

export function isServiceVisible(service: Service, mesh: MeshConfig, reader: string): boolean {
  const exportTo = service.exportTo.length > 0 ? service.exportTo : mesh.defaultServiceExportTo;
  return isExportedTo(service, exportTo, reader);
}

export function isRuleVisible(
  rule: VirtualService | DestinationRule,
  mesh: MeshConfig,
  reader: string,
): boolean {
  const byDefault =
    rule.kind === "VirtualService"
      ? mesh.defaultVirtualServiceExportTo
      : mesh.defaultDestinationRuleExportTo;
  const own = rule.spec.exportTo ?? [];
  return isExportedTo(rule, own.length > 0 ? own : byDefault, reader);
}
