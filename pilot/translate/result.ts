/**
 * What a piece of translation gives back besides its value: problems, and where things come from.
 */

import type { Origin } from "#pilot/ir/origin.ts";
import type { IrProblem } from "#pilot/ir/scope-ir.ts";
import type { ObjectKey } from "#pilot/model/name.ts";

export interface Translated<T> {
  readonly value: T;
  readonly problems: readonly IrProblem[];
}

/** Problems and origins of one object, by the path inside it. */
export interface Reporter {
  readonly object: ObjectKey;
  readonly problems: IrProblem[];
}

export function reporter(object: ObjectKey): Reporter {
  return { object, problems: [] };
}

/** The part at `path` has no effect. */
export function error(report: Reporter, path: string, reason: string, message: string): void {
  report.problems.push({ object: report.object, path, severity: "error", reason, message });
}

/** The part at `path` works, but perhaps not as it is meant. */
export function warn(report: Reporter, path: string, reason: string, message: string): void {
  report.problems.push({ object: report.object, path, severity: "warning", reason, message });
}

export function originOf(object: ObjectKey, path = ""): Origin {
  return { object, path };
}

/**
 * Runs the translation of one object; what it throws (a field of a shape that no schema allows,
 * from a folder of YAML or a lenient server) becomes a problem of that object alone.
 */
export function guarded<T>(
  object: ObjectKey,
  fallback: T,
  translate: () => Translated<T>,
): Translated<T> {
  try {
    return translate();
  } catch (cause) {
    const detail = cause instanceof Error ? cause.message : String(cause);
    const message = `its fields have an unexpected shape: ${detail}`;
    return {
      value: fallback,
      problems: [{ object, path: "spec", severity: "error", reason: "Malformed", message }],
    };
  }
}
