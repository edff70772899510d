/** Changes of the table as data, in the order nftables needs them, and as text for `nft -f -`. */

import { TABLE } from "./table.ts";

export type Command =
  | { kind: "set"; op: "add" | "delete"; name: string; declaration: string; service: string }
  /** Adding replaces the rules of a chain of that name. */
  | { kind: "chain"; op: "add" | "delete"; name: string; rules: readonly string[]; service: string }
  | {
      kind: "element";
      op: "add" | "delete";
      container: string;
      key: string;
      value?: string;
      service: string;
    };

/** One line of nft's input and the Service it is for (empty: the table itself). */
export interface Statement {
  text: string;
  service: string;
}

/**
 * Several changes of one thing as one, so that the order of `render` can't mix them up: what was
 * deleted first was there before, what was added last shall be there after.
 */
export function compact(commands: readonly Command[]): Command[] {
  const byThing = new Map<string, Command[]>();
  for (const command of commands) {
    const name = command.kind === "element" ? `${command.container} ${command.key}` : command.name;
    const thing = `${command.kind} ${name}`;
    const known = byThing.get(thing);
    if (known === undefined) byThing.set(thing, [command]);
    else known.push(command);
  }
  return [...byThing.values()].flatMap((changes) => {
    const first = changes[0];
    const last = changes.at(-1);
    if (first === undefined || last === undefined || first === last) return changes;
    if (first.kind === "element") {
      const deletes = first.op === "delete" ? [first] : [];
      return last.op === "add" ? [...deletes, last] : deletes;
    }
    // Adding a chain or set that is there replaces it, so only the order matters.
    return last.op === "add" || first.op === "delete" ? [last] : [first, last];
  });
}

/**
 * What is referred to is made first and removed last. Elements of one Service and container that
 * follow each other share a line. Lines of nft must not become too long to report, so a line holds
 * at most 64 elements.
 */
export function render(commands: readonly Command[]): Statement[] {
  const lines: Statement[] = [];
  for (const phase of PHASES) {
    const selected = commands.filter((command) => phase(command));
    for (let at = 0; at < selected.length;) {
      const command = selected[at] as Command;
      if (command.kind !== "element") {
        lines.push(...plainStatements(command));
        at += 1;
        continue;
      }
      const run = elementRun(selected, at);
      const entries = run.map((e) =>
        e.value === undefined || e.op === "delete" ? e.key : `${e.key} : ${e.value}`,
      );
      const text = `${command.op} element ip ${TABLE} ${command.container} { ${entries.join(", ")} }`;
      lines.push({ text, service: command.service });
      at += run.length;
    }
  }
  return lines;
}

const MAX_ELEMENTS = 64;

const PHASES: readonly ((command: Command) => boolean)[] = [
  (command) => command.kind === "set" && command.op === "add",
  (command) => command.kind === "chain" && command.op === "add",
  (command) => command.kind === "element" && command.op === "delete",
  (command) => command.kind === "element" && command.op === "add",
  (command) => command.kind === "chain" && command.op === "delete",
  (command) => command.kind === "set" && command.op === "delete",
];

type ElementCommand = Extract<Command, { kind: "element" }>;

function elementRun(commands: readonly Command[], from: number): ElementCommand[] {
  const run: ElementCommand[] = [];
  for (let at = from; at < commands.length && run.length < MAX_ELEMENTS; at++) {
    const command = commands[at] as Command;
    const first = run[0];
    if (command.kind !== "element") break;
    if (
      first !== undefined &&
      (first.container !== command.container || first.service !== command.service)
    ) {
      break;
    }
    run.push(command);
  }
  return run;
}

function plainStatements(command: Exclude<Command, ElementCommand>): Statement[] {
  const { service, name } = command;
  if (command.kind === "set") {
    const text =
      command.op === "add"
        ? `add set ip ${TABLE} ${name} { ${command.declaration} }`
        : `delete set ip ${TABLE} ${name}`;
    return [{ text, service }];
  }
  if (command.op === "delete") return [{ text: `delete chain ip ${TABLE} ${name}`, service }];
  return [
    { text: `add chain ip ${TABLE} ${name}`, service },
    { text: `flush chain ip ${TABLE} ${name}`, service },
    ...command.rules.map((rule) => ({ text: `add rule ip ${TABLE} ${name} ${rule}`, service })),
  ];
}
