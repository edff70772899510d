import type { Rejection } from "./stream-events.ts";

/** Proxies tell at length, over many lines, what they refuse. */
const MAX_SHOWN = 500;
const MAX_OBJECTS = 10;

/** What connected proxies refuse now; an entry goes when it is no longer true. */
export class Rejections {
  readonly #current = new Set<Rejection>();

  get size(): number {
    return this.#current.size;
  }

  /** Oldest first. */
  list(): readonly Rejection[] {
    return [...this.#current];
  }

  add(rejection: Rejection): void {
    this.#current.add(rejection);
  }

  remove(rejection: Rejection): void {
    this.#current.delete(rejection);
  }
}

/** For the log: names the resource, and the objects behind it. */
export function describeRejection(rejection: Rejection): string {
  const { proxyId, type, message, resources, isReplaced = false } = rejection;
  const names = resources.map(({ name }) => name);
  const objects = new Set(resources.flatMap(({ origins }) => origins.map((one) => one.object)));
  const some = (all: Iterable<string>): string => [...all].slice(0, MAX_OBJECTS).join(", ");
  const what = `${type} ${some(names)}`;
  const then = isReplaced ? "it gets it without patches" : "it keeps what it had";
  return `${proxyId}: refuses ${what}: ${oneLine(message)}; ${then}. From: ${some(objects)}`;
}

function oneLine(text: string): string {
  return text.replaceAll(/\s+/g, " ").slice(0, MAX_SHOWN);
}
