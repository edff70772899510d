/** From what a frontend was to what it shall be, touching only what differs; pure. */

import { backendKey } from "./backend.ts";
import type { Backend } from "./backend.ts";
import type { Command } from "./command.ts";
import type { Frontend, Target } from "./frontend.ts";
import type { Element, FrontendRules } from "./ruleset.ts";

/** Commands of one frontend; hairpins and shared chains are the table's (`service-table.ts`). */
export function diffRules(
  previous: FrontendRules | undefined,
  next: FrontendRules | undefined,
): Command[] {
  const service = next?.service ?? previous?.service ?? "";
  return [
    ...diffElements(previous?.elements ?? [], next?.elements ?? [], service),
    ...diffNamed(previous?.chains, next?.chains, sameLines).map(({ op, name, value }): Command => ({
      kind: "chain",
      op,
      name,
      rules: value,
      service,
    })),
    ...diffSets(previous?.sets, next?.sets, service),
  ];
}

function diffElements(
  previous: readonly Element[],
  next: readonly Element[],
  service: string,
): Command[] {
  const old = new Map(previous.map((element) => [identity(element), element]));
  const wanted = new Map(next.map((element) => [identity(element), element]));
  const commands: Command[] = [];
  for (const [id, element] of old) {
    if (wanted.get(id)?.value === element.value && wanted.has(id)) continue;
    commands.push({ kind: "element", op: "delete", ...element, service });
  }
  for (const [id, element] of wanted) {
    if (old.get(id)?.value === element.value && old.has(id)) continue;
    commands.push({ kind: "element", op: "add", ...element, service });
  }
  return commands;
}

function identity(element: Element): string {
  return `${element.container} ${element.key}`;
}

function diffNamed<V>(
  previous: ReadonlyMap<string, V> = new Map(),
  next: ReadonlyMap<string, V> = new Map(),
  same: (a: V, b: V) => boolean,
): { op: "add" | "delete"; name: string; value: V }[] {
  const added = [...next].filter(([name, value]) => {
    const old = previous.get(name);
    return old === undefined || !same(old, value);
  });
  // In reverse: later chains refer to earlier ones.
  const removed = [...previous].filter(([name]) => !next.has(name)).toReversed();
  return [
    ...added.map(([name, value]) => ({ op: "add" as const, name, value })),
    ...removed.map(([name, value]) => ({ op: "delete" as const, name, value })),
  ];
}

/** A set of one name always has the same declaration. */
function diffSets(
  previous: ReadonlyMap<string, string> | undefined,
  next: ReadonlyMap<string, string> | undefined,
  service: string,
): Command[] {
  return diffNamed(previous, next, () => true).map(({ op, name, value }) => ({
    kind: "set",
    op,
    name,
    declaration: value,
    service,
  }));
}

function sameLines(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((line, index) => line === b[index]);
}

/**
 * The next frontend with its backends in an order that leaves as many as possible in the slots they
 * have: a removed one's slot is filled from the end, so a change of one endpoint is a change of two
 * elements, however many there are.
 */
export function keepSlots(previous: Frontend | undefined, next: Frontend): Frontend {
  if (previous === undefined) return next;
  const outside =
    next.outside === undefined ? {} : { outside: keepTargetSlots(previous.outside, next.outside) };
  return { ...next, inside: keepTargetSlots(previous.inside, next.inside), ...outside };
}

function keepTargetSlots(previous: Target | undefined, next: Target): Target {
  const waiting = new Map(next.backends.map((backend) => [backendKey(backend), backend]));
  const slots: (Backend | undefined)[] = next.backends.map((_, slot) => {
    const old = previous?.backends[slot];
    const kept = old === undefined ? undefined : waiting.get(backendKey(old));
    if (kept !== undefined) waiting.delete(backendKey(kept));
    return kept;
  });
  const rest = waiting.values();
  return { ...next, backends: slots.flatMap((slot) => slot ?? rest.next().value ?? []) };
}
