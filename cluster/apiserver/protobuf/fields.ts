/** Field numbers of built-in types, by definition. */

import { messageFields, TYPE_META, type MessageField } from "#cluster/apiserver/schema/messages.ts";

export type WireField = MessageField;

const tables = new Map<string, ReadonlyMap<number, WireField>>();

/**
 * Protobuf number → field. An inlined struct is one field on the wire whose members are the
 * parent's in JSON; TypeMeta never travels inside the message.
 */
export function fieldsByNumber(definition: string): ReadonlyMap<number, WireField> {
  const known = tables.get(definition);
  if (known !== undefined) return known;
  const table = new Map<number, WireField>();
  for (const field of messageFields(definition) ?? []) {
    if (field.number !== undefined && field.type !== `#${TYPE_META}`) {
      table.set(field.number, field);
    }
  }
  tables.set(definition, table);
  return table;
}
