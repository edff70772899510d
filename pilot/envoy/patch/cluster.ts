/** Patches of clusters (Istio, "EnvoyFilter", ClusterMatch). */

import type { JsonObject } from "#pilot/proto/json.ts";
import { isObject, messagesIn, objectIn, textIn } from "./fields.ts";
import { mergeMessage } from "./merge.ts";
import { type Pass, type Patch, optionsOf, patchesTo } from "./patch.ts";
import { mergeSocket } from "./transport-socket.ts";

const CLUSTER = "envoy.config.cluster.v3.Cluster";

/** The same object where no patch has an effect; undefined where one removes the cluster. */
export function patchCluster(pass: Pass, original: JsonObject): JsonObject | undefined {
  let cluster = original;
  for (const patch of patchesTo(pass.set, "CLUSTER")) {
    if (patch.operation === "ADD" || !isCluster(patch, original)) continue;
    pass.touched.add(patch);
    if (patch.operation === "REMOVE") return undefined;
    cluster = mergeCluster(cluster, patch);
  }
  return cluster;
}

function isCluster(patch: Patch, cluster: JsonObject): boolean {
  const { name = "", service = "", subset = "", portNumber = 0 } = patch.cluster ?? {};
  const own = textIn(cluster, "name");
  if (name !== "") return name === own;
  const parts = partsOf(own);
  if (subset !== "" && subset !== parts.subset) return false;
  if (portNumber !== 0 && portNumber !== parts.port) return false;
  return service === "" || hostsOf(cluster, parts.host).includes(service);
}

/** `outbound|80|v1|host`, `inbound|80||`, and `outbound_.80_.v1_.host` of gateways. */
function partsOf(name: string): { port: number; subset: string; host: string } {
  const [, port = "", subset = "", host = ""] = name.split(name.includes("|") ? "|" : "_.");
  return { port: Number(port), subset, host };
}

/** An inbound cluster has no host in its name, but services that lead to it. */
function hostsOf(cluster: JsonObject, host: string): string[] {
  if (host !== "") return [host];
  const istio = objectIn(objectIn(objectIn(cluster, "metadata"), "filterMetadata"), "istio");
  return messagesIn(istio, "services").map((one) => textIn(one, "host"));
}

function mergeCluster(cluster: JsonObject, patch: Patch): JsonObject {
  const given = patch.value["transportSocket"];
  if (!isObject(given)) return mergeMessage(CLUSTER, cluster, patch.value, optionsOf(patch));
  const { transportSocket: _, ...rest } = patch.value;
  const merged = mergeMessage(CLUSTER, cluster, rest, optionsOf(patch));
  const matches = messagesIn(cluster, "transportSocketMatches");
  if (matches.length > 0) {
    // Both together are invalid: the first socket of the name is meant, or none.
    const at = matches.findIndex(
      (one) => objectIn(one, "transportSocket")["name"] === given["name"],
    );
    const found = matches[at];
    if (found === undefined) return merged;
    const socket = mergeSocket(objectIn(found, "transportSocket"), given, optionsOf(patch));
    return {
      ...merged,
      transportSocketMatches: matches.with(at, { ...found, transportSocket: socket }),
    };
  }
  const before = cluster["transportSocket"];
  const isSame = isObject(before) && before["name"] === given["name"];
  return {
    ...merged,
    transportSocket: isSame ? mergeSocket(before, given, optionsOf(patch)) : given,
  };
}
