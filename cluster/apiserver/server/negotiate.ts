/** Accept headers → the form of the answer. */

import { statusError } from "#cluster/api/status-error.ts";

export interface Format {
  encoding: "json" | "yaml";
  /** Whole objects, kubectl's tables, or metadata only. */
  as: "object" | "table" | "partial";
  /** Of meta.k8s.io, for tables and metadata. */
  version: "v1" | "v1beta1";
}

export interface MediaRange {
  type: string;
  parameters: ReadonlyMap<string, string>;
}

export const DEFAULT_FORMAT: Format = { encoding: "json", as: "object", version: "v1" };

const AS: ReadonlyMap<string, Format["as"]> = new Map([
  ["Table", "table"],
  ["PartialObjectMetadata", "partial"],
  ["PartialObjectMetadataList", "partial"],
]);

/** In the client's order, which is Kubernetes' reading of Accept (weights are ignored). */
export function parseAccept(header: string | undefined): MediaRange[] {
  return (header ?? "")
    .split(",")
    .slice(0, 32)
    .map((range) => {
      const [type = "", ...rest] = range.split(";").map((part) => part.trim());
      const pairs = rest.map((pair): [string, string] => {
        const [key = "", value = ""] = pair.split("=");
        return [key, value];
      });
      return { type: type.toLowerCase(), parameters: new Map(pairs) };
    })
    .filter((range) => range.type !== "");
}

/** The first form that the client accepts and we have; throws NotAcceptable. */
export function negotiate(header: string | undefined): Format {
  const ranges = parseAccept(header);
  if (ranges.length === 0) return DEFAULT_FORMAT;
  for (const range of ranges) {
    const format = formatOf(range);
    if (format !== undefined) return format;
  }
  throw statusError(
    "NotAcceptable",
    "only the following media types are accepted: application/json, application/yaml",
  );
}

function formatOf({ type, parameters }: MediaRange): Format | undefined {
  const encoding = encodingOf(type);
  if (encoding === undefined) return undefined;
  const asked = parameters.get("as") ?? "";
  if (asked === "") return { ...DEFAULT_FORMAT, encoding };
  const as = AS.get(asked);
  const version = parameters.get("v") ?? "v1";
  if (as === undefined || parameters.get("g") !== "meta.k8s.io") return undefined;
  if (version !== "v1" && version !== "v1beta1") return undefined;
  return { encoding, as, version };
}

function encodingOf(type: string): Format["encoding"] | undefined {
  switch (type) {
    case "application/json":
    case "application/*":
    case "*/*":
      return "json";
    case "application/yaml":
      return "yaml";
    default:
      return undefined;
  }
}
