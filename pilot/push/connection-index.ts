import type { Connection } from "./connection.ts";
import type { MovedProxies } from "#pilot/model/impact.ts";

/** Connected proxies by their addresses and namespaces, so that a change finds those it is about. */
export class ConnectionIndex {
  readonly #byAddress = new Map<string, Set<Connection>>();
  readonly #byNamespace = new Map<string, Set<Connection>>();

  add(connection: Connection): void {
    const { addresses, namespace } = connection.proxy;
    for (const address of addresses) put(this.#byAddress, address, connection);
    put(this.#byNamespace, namespace, connection);
  }

  delete(connection: Connection): void {
    const { addresses, namespace } = connection.proxy;
    for (const address of addresses) take(this.#byAddress, address, connection);
    take(this.#byNamespace, namespace, connection);
  }

  /** Each once or more often. */
  *find({ addresses, namespaces }: MovedProxies): Generator<Connection> {
    for (const address of addresses) yield* this.#byAddress.get(address) ?? [];
    for (const namespace of namespaces) yield* this.#byNamespace.get(namespace) ?? [];
  }
}

function put(index: Map<string, Set<Connection>>, key: string, connection: Connection): void {
  const there = index.get(key);
  if (there === undefined) index.set(key, new Set([connection]));
  else there.add(connection);
}

function take(index: Map<string, Set<Connection>>, key: string, connection: Connection): void {
  const there = index.get(key);
  there?.delete(connection);
  if (there?.size === 0) index.delete(key);
}
