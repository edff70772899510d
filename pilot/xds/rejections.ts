import type { Rejection } from "./stream-events.ts";
import { shortName } from "#pilot/cache/type-url.ts";

/** A refusal as something to be said of an object. */
export interface RejectionProblem {
  object: string;
  path: string;
  reason: "RefusedByProxy";
  message: string;
}

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

  /** By object; what many proxies refuse for the same reason is one. */
  problems(): RejectionProblem[] {
    const byText = new Map<string, RejectionProblem>();
    for (const rejection of this.#current) {
      for (const problem of problemsOf(rejection)) {
        byText.set(`${problem.object} ${problem.message}`, problem);
      }
    }
    return [...byText.values()];
  }
}

/** For the log: names the resource, and the objects behind it. */
export function describeRejection({ proxyId, type, message, resources }: Rejection): string {
  const names = resources.map(({ name }) => name);
  const objects = new Set(resources.flatMap(({ origins }) => origins.map((one) => one.object)));
  const some = (all: Iterable<string>): string => [...all].slice(0, MAX_OBJECTS).join(", ");
  const what = `${type} ${some(names)}`;
  return `${proxyId}: refuses ${what}: ${oneLine(message)}; it keeps what it had. From: ${some(objects)}`;
}

/**
 * The objects that the resource comes from, each once. A Service is never to blame, a Gateway only
 * where no rule takes part.
 */
function problemsOf({ type, message, resources }: Rejection): RejectionProblem[] {
  const origins = resources.flatMap((resource) => resource.origins);
  const rules = origins.filter(({ object }) => /^(VirtualService|DestinationRule)\//.test(object));
  const blamed = rules.length > 0 ? rules : origins;
  const objects = new Set(blamed.map(({ object }) => object));
  return [...objects]
    .filter((object) => !object.startsWith("Service/"))
    .slice(0, MAX_OBJECTS)
    .map((object) => ({
      object,
      path: "",
      reason: "RefusedByProxy",
      message: `proxies refuse what it makes of ${shortName(type) ?? type}: ${oneLine(message)}`,
    }));
}

function oneLine(text: string): string {
  return text.replaceAll(/\s+/g, " ").slice(0, MAX_SHOWN);
}
