/** nftables in memory: takes the proxy's statements with the kernel's strictness about names. */

import type { Statement } from "#cluster/proxy/command.ts";
import { failure } from "#cluster/proxy/nft.ts";
import type { Nft, NftResult } from "#cluster/proxy/nft.ts";

export interface FakeTables {
  /** Map or set → key → value (empty in sets). */
  elements: Map<string, Map<string, string>>;
  chains: Map<string, string[]>;
}

/** Applies all or nothing, as the kernel does. `refuse` makes statements with that text fail. */
export class FakeNft implements Nft {
  tables: FakeTables = { elements: new Map(), chains: new Map() };
  /** Statements of every successful transaction. */
  readonly transactions: (readonly Statement[])[] = [];
  refuse: string | undefined;
  /** Rejects this many next calls, as when nft is missing. */
  broken = 0;

  apply(statements: readonly Statement[]): Promise<NftResult> {
    if (this.broken > 0) {
      this.broken -= 1;
      return Promise.reject(new Error("nft could not be run"));
    }
    const draft = structuredClone(this.tables);
    for (const [index, { text }] of statements.entries()) {
      const problem =
        this.refuse !== undefined && text.includes(this.refuse)
          ? "Refused"
          : applyStatement(draft, text);
      if (problem !== undefined) {
        const stderr = `/dev/stdin:${index + 1}:1-9: Error: ${problem}`;
        return Promise.resolve(failure(statements, stderr));
      }
    }
    const dangling = danglingReference(draft);
    if (dangling !== undefined) return Promise.resolve(failure(statements, dangling));
    this.tables = draft;
    this.transactions.push(statements);
    return Promise.resolve({ ok: true });
  }

  /** `container key` → value of everything that is there, for comparisons. */
  dump(): Record<string, string> {
    const elements = [...this.tables.elements].flatMap(([container, entries]) =>
      [...entries].map(([key, value]) => [`${container} { ${key} }`, value]),
    );
    const chains = [...this.tables.chains].map(([name, rules]) => [
      `chain ${name}`,
      rules.join("; "),
    ]);
    return Object.fromEntries([...elements, ...chains]) as Record<string, string>;
  }
}

function applyStatement(tables: FakeTables, text: string): string | undefined {
  const [op = "", kind = "", , table = "", name = "", ...rest] = text.split(" ");
  if (kind === "table") {
    if (op === "delete") {
      tables.elements.clear();
      tables.chains.clear();
    }
    return table === "lateen_proxy" ? undefined : `unknown table ${table}`;
  }
  switch (kind) {
    case "map":
    case "set":
      return applyContainer(tables, op, name);
    case "chain":
      return applyChain(tables, op, name);
    case "rule":
      tables.chains.get(name)?.push(rest.join(" "));
      return tables.chains.has(name) ? undefined : `No such chain ${name}`;
    case "element":
      return applyElements(tables, { op, name, list: rest.slice(1, -1).join(" ") });
    default:
      return `unknown statement ${text}`;
  }
}

function applyContainer(tables: FakeTables, op: string, name: string): string | undefined {
  if (op === "delete") return tables.elements.delete(name) ? undefined : `No such set ${name}`;
  if (!tables.elements.has(name)) tables.elements.set(name, new Map());
  return undefined;
}

function applyChain(tables: FakeTables, op: string, name: string): string | undefined {
  if (!/^[a-z0-9_]+$/.test(name)) return `bad chain name ${name}`;
  if (op === "delete") return tables.chains.delete(name) ? undefined : `No such chain ${name}`;
  if (op === "flush" || !tables.chains.has(name)) tables.chains.set(name, []);
  return undefined;
}

function applyElements(
  tables: FakeTables,
  at: { op: string; name: string; list: string },
): string | undefined {
  const container = tables.elements.get(at.name);
  if (container === undefined) return `No such set ${at.name}`;
  for (const entry of at.list.split(", ")) {
    const [key = "", value = ""] = entry.split(" : ");
    if (at.op === "delete") {
      if (!container.delete(key)) return `No such element ${key}`;
    } else {
      if (container.has(key) && container.get(key) !== value) return `File exists: ${key}`;
      container.set(key, value);
    }
  }
  return undefined;
}

/** Something refers to a chain or set that isn't there at the end of the transaction. */
function danglingReference(tables: FakeTables): string | undefined {
  const verdicts = [...tables.elements].flatMap(([, entries]) => [...entries.values()]);
  const texts = [...verdicts, ...[...tables.chains.values()].flat()];
  for (const text of texts) {
    for (const [, name = ""] of text.matchAll(/\b(?:goto|jump) ([a-z0-9_]+)/g)) {
      if (!tables.chains.has(name)) return `no chain ${name}`;
    }
    for (const [, name = ""] of text.matchAll(/@([a-z0-9_]+)/g)) {
      if (!tables.elements.has(name)) return `no set ${name}`;
    }
  }
  return undefined;
}
