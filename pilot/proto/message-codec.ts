/** One compiled writer a message type, made when the type is first met. */

import { descriptors } from "./descriptors.ts";
import type { FieldDescriptor } from "./descriptors.ts";
import { FieldError, describeValue } from "./field-error.ts";
import { SCALARS } from "./scalars.ts";
import type { ScalarCodec } from "./scalars.ts";
import { wellKnownWriter } from "./well-known.ts";
import type { BackwardWriter } from "./writer.ts";

/** Writes a message's fields, without tag and length; throws a FieldError. */
export type MessageWriter = (writer: BackwardWriter, value: unknown) => void;

interface FieldPlan {
  id: number;
  name: string;
  protoName: string;
  oneof: string | undefined;
  /** JSON's null is a value here (google.protobuf.Value) and not "absent". */
  nullable: boolean;
  write: MessageWriter;
}

const writers = new Map<string, MessageWriter>();
/** Nested deeper than any real configuration; a cyclic object ends here. */
const MAX_DEPTH = 100;
let depth = 0;
/** Fields still to be written, of all open levels; one array, as this is the hot path. */
const stack: FieldPlan[] = [];
let top = 0;

/** The writer of a type by its full name without a leading dot; throws a FieldError if unknown. */
export function messageWriter(typeName: string): MessageWriter {
  const known = writers.get(typeName);
  if (known !== undefined) return known;
  const special = wellKnownWriter(typeName, { messageWriter, writePlain });
  if (special !== undefined) {
    writers.set(typeName, special);
    return special;
  }
  const { messages } = descriptors();
  if (!Object.hasOwn(messages, typeName)) {
    throw new FieldError("UnknownType", `there is no message type ${JSON.stringify(typeName)}`);
  }
  const plans = planFields(messages[typeName] ?? []);
  const write: MessageWriter = (writer, value) => writeFields(writer, value, plans);
  writers.set(typeName, write);
  return write;
}

/** Writes a message whose JSON carries an `@type` beside its fields, as in an Any. */
function writePlain(writer: BackwardWriter, typeName: string, value: object): void {
  const { "@type": _, ...fields } = value as Record<string, unknown>;
  messageWriter(typeName)(writer, fields);
}

function planFields(fields: readonly FieldDescriptor[]): Map<string, FieldPlan> {
  const plans = new Map<string, FieldPlan>();
  for (const field of fields) {
    const plan: FieldPlan = {
      id: field.id,
      name: field.jsonName,
      protoName: field.name,
      oneof: field.oneof,
      nullable: field.typeName === "google.protobuf.Value" && field.repeated !== true,
      write: fieldWriter(field),
    };
    plans.set(field.name, plan);
    plans.set(field.jsonName, plan);
  }
  return plans;
}

function writeFields(
  writer: BackwardWriter,
  value: unknown,
  plans: ReadonlyMap<string, FieldPlan>,
): void {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new FieldError("WrongType", `must be an object, not ${describeValue(value)}`);
  }
  if (++depth > MAX_DEPTH) throw new FieldError("Malformed", `is nested over ${MAX_DEPTH} levels`);
  const given = value as Record<string, unknown>;
  const base = top;
  pushFields(given, plans);
  let name = "";
  try {
    while (top > base) {
      const plan = stack[--top]!;
      name = plan.name;
      plan.write(writer, name in given ? given[name] : given[plan.protoName]);
    }
  } catch (error) {
    throw error instanceof FieldError ? error.within(name) : error;
  }
  depth--;
}

/** To be called before each top-level message: an error may have left levels open. */
export function resetWriters(): void {
  depth = 0;
  top = 0;
}

/** Puts the given fields' plans on the stack, the highest id last, as the writer goes backward. */
function pushFields(given: Record<string, unknown>, plans: ReadonlyMap<string, FieldPlan>): void {
  const base = top;
  for (const key of Object.keys(given)) {
    const value = given[key];
    if (value === undefined) continue;
    const plan = plans.get(key);
    if (plan === undefined) throw new FieldError("UnknownField", "is unknown").within(key);
    if (value === null && !plan.nullable) continue;
    let index = top++;
    for (; index > base && stack[index - 1]!.id >= plan.id; index--) {
      if (stack[index - 1] === plan) {
        throw new FieldError("Conflict", "is given twice").within(plan.name);
      }
      stack[index] = stack[index - 1]!;
    }
    stack[index] = plan;
    if (plan.oneof !== undefined) refuseConflict(plan, base);
  }
}

function refuseConflict(plan: FieldPlan, base: number): void {
  for (let index = base; index < top; index++) {
    const other = stack[index]!;
    if (other === plan || other.oneof !== plan.oneof) continue;
    const message = `excludes ${other.name}: only one of ${plan.oneof} can be set`;
    throw new FieldError("Conflict", message).within(plan.name);
  }
}

function fieldWriter(field: FieldDescriptor): MessageWriter {
  if (field.keyType !== undefined) return mapWriter(field);
  const codec = valueCodec(field);
  const tag = field.id * 8 + codec.wire;
  if (field.repeated !== true) {
    const always = field.presence === true;
    return (writer, value) => {
      if (!always && codec.isDefault(value)) return;
      codec.write(writer, value);
      writer.varint(tag);
    };
  }
  if (codec.wire !== 2) return packedWriter(field, codec);
  return (writer, value) => {
    eachBackward(value, (item) => {
      codec.write(writer, item);
      writer.varint(tag);
    });
  };
}

function packedWriter(field: FieldDescriptor, codec: ScalarCodec): MessageWriter {
  const tag = field.id * 8 + 2;
  return (writer, value) => {
    const before = writer.size;
    eachBackward(value, (item) => codec.write(writer, item));
    if (writer.size === before) return;
    writer.varint(writer.size - before);
    writer.varint(tag);
  };
}

function eachBackward(value: unknown, write: (item: unknown) => void): void {
  if (!Array.isArray(value)) {
    throw new FieldError("WrongType", `must be a list, not ${describeValue(value)}`);
  }
  let index = value.length - 1;
  try {
    for (; index >= 0; index--) write(value[index]);
  } catch (error) {
    throw error instanceof FieldError ? error.within(`[${index}]`) : error;
  }
}

/** Entries sorted by key: the same map gives the same bytes. */
function mapWriter(field: FieldDescriptor): MessageWriter {
  const values = valueCodec(field);
  const keys = SCALARS[field.keyType ?? "string"];
  const toKey = (key: string): unknown => (field.keyType === "bool" ? key === "true" : key);
  return (writer, value) => {
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      throw new FieldError("WrongType", `must be an object, not ${describeValue(value)}`);
    }
    const entries = value as Record<string, unknown>;
    for (const key of Object.keys(entries).toSorted().toReversed()) {
      const before = writer.size;
      try {
        values.write(writer, entries[key]);
        writer.varint(16 + values.wire);
        keys.write(writer, toKey(key));
        writer.varint(8 + keys.wire);
      } catch (error) {
        throw error instanceof FieldError ? error.within(`[${JSON.stringify(key)}]`) : error;
      }
      writer.varint(writer.size - before);
      writer.varint(field.id * 8 + 2);
    }
  };
}

function valueCodec(field: FieldDescriptor): ScalarCodec {
  if (field.type === "message") return messageCodec(field.typeName ?? "");
  if (field.type === "enum") return enumCodec(field.typeName ?? "");
  return SCALARS[field.type];
}

function messageCodec(typeName: string): ScalarCodec {
  let write: MessageWriter | undefined;
  return {
    wire: 2,
    write(writer, value) {
      const before = writer.size;
      write ??= messageWriter(typeName);
      write(writer, value);
      writer.varint(writer.size - before);
    },
    isDefault: () => false,
  };
}

function enumCodec(typeName: string): ScalarCodec {
  const numbers = new Map(Object.entries(descriptors().enums[typeName] ?? {}));
  const numberOf = (value: unknown): number => {
    const number = typeof value === "string" ? numbers.get(value) : value;
    if (typeof number === "number" && Number.isInteger(number)) return number;
    const choices = [...numbers.keys()].slice(0, 12).join(", ");
    throw new FieldError("WrongType", `must be one of ${choices}, not ${describeValue(value)}`);
  };
  return {
    wire: 0,
    write: (writer, value) => SCALARS.int32.write(writer, numberOf(value)),
    isDefault: (value) => numberOf(value) === 0,
  };
}
