/** What the mesh's settings say about its edge. */

import { type EdgeSettings, parseTopology } from "#pilot/model/edge.ts";
import type { MeshConfig, TlsDefaults } from "#pilot/model/mesh-config.ts";

type TakeField = <T>(name: string, parse: (raw: unknown) => T | undefined) => T | undefined;

/** `tlsDefaults`, `meshMTLS` and `defaultConfig.gatewayTopology`; absent where not set. */
export function gatewaySettings(field: TakeField): Partial<MeshConfig> {
  return {
    tlsDefaults: field("tlsDefaults", parseTlsDefaults),
    peerTlsLimits: field("meshMTLS", parseTlsDefaults),
    gatewayTopology: field("defaultConfig", parseDefaultTopology),
  };
}

function parseDefaultTopology(value: unknown): EdgeSettings | undefined {
  const fields = fieldsOf(value);
  return fields && parseTopology(fields.get("gatewayTopology"));
}

const VERSIONS: ReadonlyMap<unknown, TlsDefaults["minVersion"]> = new Map([
  ["TLS_AUTO", undefined],
  ["TLSV1_2", "TLSv1_2"],
  ["TLSV1_3", "TLSv1_3"],
]);

const CURVES: ReadonlySet<unknown> = new Set([
  "P-256",
  "P-384",
  "P-521",
  "X25519",
  "X25519MLKEM768",
]);

/** Undefined where it can't be used. */
function parseTlsDefaults(value: unknown): TlsDefaults | undefined {
  const fields = fieldsOf(value);
  if (fields === undefined) return undefined;
  const version = fields.get("minProtocolVersion");
  const minVersion = VERSIONS.get(version);
  const cipherSuites = textsOf(fields.get("cipherSuites"));
  const curves = textsOf(fields.get("ecdhCurves"));
  if (version !== undefined && !VERSIONS.has(version)) return undefined;
  if (cipherSuites === undefined || curves?.every((curve) => CURVES.has(curve)) !== true) {
    return undefined;
  }
  return { ...(minVersion === undefined ? {} : { minVersion }), cipherSuites, curves };
}

function fieldsOf(value: unknown): ReadonlyMap<string, unknown> | undefined {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  return new Map(Object.entries(value));
}

function textsOf(value: unknown): string[] | undefined {
  if (value === undefined || value === null) return [];
  return Array.isArray(value) && value.every((one) => typeof one === "string") ? value : undefined;
}
