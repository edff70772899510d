/** Patches of listeners and chains, outermost first (Istio, "EnvoyFilter"). */

import type { JsonObject } from "#pilot/proto/json.ts";
import { isObject, messagesIn } from "./fields.ts";
import { patchFilters, patchListenerFilters } from "./filters.ts";
import { isChain, isListener } from "./listener-match.ts";
import { mergeMessage } from "./merge.ts";
import { type Pass, type Patch, optionsOf, patchesTo } from "./patch.ts";
import { mergeSocket } from "./transport-socket.ts";

const LISTENER = "envoy.config.listener.v3.Listener";
const CHAIN = "envoy.config.listener.v3.FilterChain";

/** The same object where no patch has an effect; undefined where one removes the listener. */
export function patchListener(pass: Pass, original: JsonObject): JsonObject | undefined {
  let listener = original;
  for (const patch of patchesTo(pass.set, "LISTENER")) {
    if (patch.operation === "ADD" || !isListener(patch, listener)) continue;
    pass.touched.add(patch);
    if (patch.operation === "REMOVE") return undefined;
    listener = mergeMessage(LISTENER, listener, patch.value, optionsOf(patch));
  }
  return patchChains(pass, patchListenerFilters(pass, listener));
}

function patchChains(pass: Pass, listener: JsonObject): JsonObject {
  const before = messagesIn(listener, "filterChains");
  const chains = before.flatMap((chain) => patchChain(pass, listener, chain) ?? []);
  for (const patch of patchesTo(pass.set, "FILTER_CHAIN")) {
    if (patch.operation !== "ADD" || !isListener(patch, listener)) continue;
    chains.push(patch.value);
    pass.touched.add(patch);
  }
  const isSame = chains.length === before.length && chains.every((one, at) => one === before[at]);
  const result = isSame ? listener : { ...listener, filterChains: chains };
  const other = result["defaultFilterChain"];
  if (!isObject(other)) return result;
  const patched = patchChain(pass, listener, other);
  if (patched === other) return result;
  const { defaultFilterChain: _, ...rest } = result;
  return patched === undefined ? rest : { ...rest, defaultFilterChain: patched };
}

/** Undefined where a patch removes the chain. */
function patchChain(
  pass: Pass,
  listener: JsonObject,
  original: JsonObject,
): JsonObject | undefined {
  let chain = original;
  for (const patch of patchesTo(pass.set, "FILTER_CHAIN")) {
    if (patch.operation === "ADD") continue;
    if (!isListener(patch, listener) || !isChain(patch, listener, chain)) continue;
    pass.touched.add(patch);
    if (patch.operation === "REMOVE") return undefined;
    chain = mergeChain(chain, patch);
  }
  return patchFilters(pass, listener, chain);
}

/** A transport socket of the same name is merged inside, and then nothing else is (as in Istio). */
function mergeChain(chain: JsonObject, patch: Patch): JsonObject {
  const [before, given] = [chain["transportSocket"], patch.value["transportSocket"]];
  if (isObject(before) && isObject(given) && before["name"] === given["name"]) {
    return { ...chain, transportSocket: mergeSocket(before, given, optionsOf(patch)) };
  }
  return mergeMessage(CHAIN, chain, patch.value, optionsOf(patch));
}
