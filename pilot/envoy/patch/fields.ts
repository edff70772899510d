/** Fields of messages in plain JSON. */

import type { JsonObject, JsonValue } from "#pilot/proto/json.ts";

export function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A field that is a message; empty where it isn't set. */
export function objectIn(message: JsonObject, field: string): JsonObject {
  const value = message[field];
  return isObject(value) ? value : {};
}

/** A field that is text; empty where it isn't set. */
export function textIn(message: JsonObject, field: string): string {
  const value = message[field];
  return typeof value === "string" ? value : "";
}

/** A field that is a list; empty where it isn't set. */
export function listIn(message: JsonObject, field: string): readonly JsonValue[] {
  const value = message[field];
  return Array.isArray(value) ? value : [];
}

/** A field that is a list of messages. */
export function messagesIn(message: JsonObject, field: string): readonly JsonObject[] {
  return listIn(message, field).filter(isObject);
}
