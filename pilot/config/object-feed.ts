import { IngressFeed } from "./ingress-feed.ts";
import type { Change } from "#pilot/model/change.ts";
import type { Problem } from "#pilot/model/problem.ts";
import { Registry } from "#pilot/registry/registry.ts";
import type { PlatformEvent } from "#pilot/registry/registry.ts";

export interface ObjectFeedOptions {
  /** Gets the model's changes, in order. */
  apply: (changes: readonly Change[]) => void;
  log: (line: string) => void;
  clusterDomain: string;
}

/** Where all adapters lead: platform objects become changes of the model here, whatever they come from. */
export class ObjectFeed {
  readonly #options: ObjectFeedOptions;
  readonly #registry = new Registry();
  readonly #ingresses: IngressFeed;

  constructor(options: ObjectFeedOptions) {
    this.#options = options;
    this.#ingresses = new IngressFeed(options.clusterDomain);
    options.apply(this.#registry.initialChanges());
  }

  /** An object that can't be converted is reported; the world goes on with the others. */
  handle(event: PlatformEvent): void {
    try {
      this.#options.apply([...this.#registry.handle(event), ...this.#ingresses.handle(event)]);
    } catch (error) {
      const { kind, metadata } = event.object;
      const name = `${kind} ${metadata.namespace ?? ""}/${metadata.name}`;
      this.#options.log(`${name} can't be read: ${error instanceof Error ? error.stack : ""}`);
    }
  }

  /** What is wrong with objects by themselves. */
  problems(): readonly Problem[] {
    return [...this.#registry.problems(), ...this.#ingresses.problems];
  }
}
