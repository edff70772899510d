/** `tlsDefaults` of the mesh's settings. */

import type { TlsDefaults } from "#pilot/model/mesh-config.ts";

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
export function parseTlsDefaults(value: unknown): TlsDefaults | undefined {
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
