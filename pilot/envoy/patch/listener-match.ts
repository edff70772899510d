/** Whether a patch is about a listener, a chain, a filter (Istio, "EnvoyFilter", ListenerMatch). */

import type { JsonObject, JsonValue } from "#pilot/proto/json.ts";
import { listIn, objectIn, textIn } from "./fields.ts";
import { currentName } from "./filter-names.ts";
import type { Patch } from "./patch.ts";

/** Listeners whose chains are those of many ports: there a port is matched chain by chain. */
const VIRTUAL: readonly JsonValue[] = ["virtualInbound", "virtualOutbound"];

export function isListener(patch: Patch, listener: JsonObject): boolean {
  const { name = "", portNumber = 0 } = patch.listener ?? {};
  if (name !== "" && name !== listener["name"]) return false;
  if (portNumber === 0) return true;
  if (patch.applyTo !== "LISTENER" && isVirtual(listener)) return true;
  const address = objectIn(objectIn(listener, "address"), "socketAddress");
  return address["portValue"] === portNumber;
}

export function isChain(patch: Patch, listener: JsonObject, chain: JsonObject): boolean {
  const { portNumber = 0, filterChain: wanted } = patch.listener ?? {};
  const match = objectIn(chain, "filterChainMatch");
  if (portNumber !== 0 && isVirtual(listener) && match["destinationPort"] !== portNumber) {
    return false;
  }
  if (wanted === undefined) return true;
  const { name = "", sni = "", transportProtocol = "", destinationPort = 0 } = wanted;
  const protocols = (wanted.applicationProtocols ?? "").split(",").filter((one) => one !== "");
  return (
    (name === "" || chain["name"] === name) &&
    (sni === "" || listIn(match, "serverNames").includes(sni)) &&
    (transportProtocol === "" || match["transportProtocol"] === transportProtocol) &&
    (destinationPort === 0 || match["destinationPort"] === destinationPort) &&
    protocols.every((one) => listIn(match, "applicationProtocols").includes(one.trim()))
  );
}

/** Undefined where the patch names no filter of the listener. */
export function listenerFilterTarget(patch: Patch): ((filter: JsonObject) => boolean) | undefined {
  return named(patch.listener?.listenerFilter);
}

/** Undefined where the patch names no network filter. */
export function networkFilterTarget(patch: Patch): ((filter: JsonObject) => boolean) | undefined {
  return named(patch.listener?.filterChain?.filter?.name);
}

/** Undefined where the patch names no HTTP filter. */
export function httpFilterTarget(patch: Patch): ((filter: JsonObject) => boolean) | undefined {
  return named(patch.listener?.filterChain?.filter?.subFilter?.name);
}

function named(name = ""): ((filter: JsonObject) => boolean) | undefined {
  if (name === "") return undefined;
  const wanted = currentName(name);
  return (filter) => currentName(textIn(filter, "name")) === wanted;
}

function isVirtual(listener: JsonObject): boolean {
  return VIRTUAL.includes(listener["name"] ?? "");
}
