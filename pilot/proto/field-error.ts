/** What is wrong with one field of a message. */
export interface ProtoProblem {
  /** From the message, for example `loadAssignment.endpoints[0].priority`; empty: the whole. */
  path: string;
  reason: "UnknownField" | "UnknownType" | "WrongType" | "OutOfRange" | "Conflict" | "Malformed";
  message: string;
}

/** Thrown inside this room only; each level on the way out puts its own step before the path. */
export class FieldError extends Error {
  readonly reason: ProtoProblem["reason"];
  #steps: string[] = [];

  constructor(reason: ProtoProblem["reason"], message: string) {
    super(message);
    this.reason = reason;
  }

  /** `step` is a field's name or an index in brackets. */
  within(step: string): this {
    this.#steps.unshift(step);
    return this;
  }

  problem(): ProtoProblem {
    const path = this.#steps.join(".").replaceAll(".[", "[");
    return { path, reason: this.reason, message: this.message };
  }
}

/** A few words on a value, for messages. */
export function describeValue(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "a list";
  switch (typeof value) {
    case "string":
      return `string ${JSON.stringify(value.length > 60 ? `${value.slice(0, 57)}…` : value)}`;
    case "number":
    case "boolean":
    case "bigint":
      return `${typeof value} ${value}`;
    case "object":
    case "undefined":
    case "function":
    case "symbol":
      break;
  }
  return `${typeof value === "object" ? "an " : ""}${typeof value}`;
}
