/** Patches and resources for this room's tests. */

import type { EnvoyResource, EnvoyResourceType } from "#pilot/envoy/build.ts";
import { type Patched, patchResources } from "#pilot/envoy/patch/apply.ts";
import { type PatchSource, decodeFilter } from "#pilot/envoy/patch/decode.ts";
import type { ApplyTo, Patch, PatchContext, PatchSet } from "#pilot/envoy/patch/patch.ts";

export const OBJECT = "EnvoyFilter/default/f";
const PREFIX = "type.googleapis.com/envoy";
export const HCM_NAME = "envoy.filters.network.http_connection_manager";
export const HCM = `${PREFIX}.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager`;
export const LUA = `${PREFIX}.extensions.filters.http.lua.v3.Lua`;
export const ROUTER = `${PREFIX}.extensions.filters.http.router.v3.Router`;
export const TCP = `${PREFIX}.extensions.filters.network.tcp_proxy.v3.TcpProxy`;
export const TLS = `${PREFIX}.extensions.transport_sockets.tls.v3.UpstreamTlsContext`;

/** Patches as a scope has them; each must be right. */
export function setOf(
  sources: readonly PatchSource[],
  context: PatchContext = "SIDECAR_OUTBOUND",
  servicePorts: PatchSet["servicePorts"] = new Map(),
): PatchSet {
  const decoded = decodeFilter({ key: OBJECT, spec: { configPatches: sources } });
  if (decoded.problems.length > 0) throw new Error(JSON.stringify(decoded.problems));
  const patches = new Map<ApplyTo, Patch[]>();
  for (const patch of decoded.patches) {
    if (patch === undefined) continue;
    patches.set(patch.applyTo, [...(patches.get(patch.applyTo) ?? []), patch]);
  }
  return { context, patches, servicePorts };
}

export function resource(type: EnvoyResourceType, message: { name: string }): EnvoyResource {
  return { type, name: message.name, message, origins: [] };
}

/** One resource under these patches. */
export function apply(
  one: EnvoyResource,
  sources: readonly PatchSource[],
  context: PatchContext = "SIDECAR_OUTBOUND",
): Patched {
  return patchResources([one], setOf(sources, context), [one.type]);
}
