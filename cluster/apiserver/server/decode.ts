/** Request bodies: JSON, YAML and Kubernetes' protobuf → plain values. */

import { load } from "js-yaml";
import { statusError } from "#cluster/api/status-error.ts";
import { decodeProtobuf } from "#cluster/apiserver/protobuf/decode.ts";

export const JSON_TYPE = "application/json";
export const YAML_TYPE = "application/yaml";
export const PROTOBUF_TYPE = "application/vnd.kubernetes.protobuf";

/** Without parameters and in lower case; empty when there is none. */
export function mediaType(header: string | undefined): string {
  return (header ?? "").split(";")[0]?.trim().toLowerCase() ?? "";
}

/**
 * Throws UnsupportedMediaType, or BadRequest when the text can't be parsed. An empty body is
 * undefined.
 */
export function decodeBody(contentType: string | undefined, body: Uint8Array): unknown {
  if (body.length === 0) return undefined;
  switch (mediaType(contentType)) {
    case "":
    case JSON_TYPE:
      return parseJson(body);
    case YAML_TYPE:
      return parseYaml(body);
    case PROTOBUF_TYPE: {
      const decoded = decodeProtobuf(body);
      if (!decoded.ok) throw statusError("BadRequest", decoded.message);
      return decoded.object;
    }
    default:
      throw unsupportedMediaType([JSON_TYPE, YAML_TYPE, PROTOBUF_TYPE]);
  }
}

export function unsupportedMediaType(accepted: readonly string[]): Error {
  return statusError(
    "UnsupportedMediaType",
    `the body of the request was in an unknown format - accepted media types include: ${accepted.join(", ")}`,
  );
}

export function parseJson(body: Uint8Array): unknown {
  const text = utf8(body);
  try {
    return refusePrototypes(JSON.parse(text), text);
  } catch (error) {
    throw unreadable("JSON", error);
  }
}

export function parseYaml(body: Uint8Array): unknown {
  const text = utf8(body);
  try {
    return refusePrototypes(load(text), text);
  } catch (error) {
    throw unreadable("YAML", error);
  }
}

/** No Kubernetes object has such a member, and none may reach code that copies members. */
function refusePrototypes(value: unknown, text: string): unknown {
  if (text.includes("__proto__") && JSON.stringify(value).includes('"__proto__":')) {
    throw new Error("a member is named __proto__");
  }
  return value;
}

function utf8(body: Uint8Array): string {
  return Buffer.from(body.buffer, body.byteOffset, body.length).toString("utf8");
}

function unreadable(language: string, error: unknown): Error {
  const why = error instanceof Error ? error.message : String(error);
  return statusError("BadRequest", `the body can't be read as ${language}: ${why}`);
}
