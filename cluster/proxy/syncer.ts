/** Brings Services into nftables: the least change each time, and everything anew when that fails. */

import type { Log } from "#cluster/client/log.ts";
import { compact, render } from "./command.ts";
import type { Command } from "./command.ts";
import type { Frontend } from "./frontend.ts";
import type { Nft } from "./nft.ts";
import { ServiceTable } from "./service-table.ts";
import { emptyTable } from "./table.ts";

/** Services that nft refuses are left out one by one; more than these, and something else is wrong. */
const MAX_LEFT_OUT = 32;

/** What a Service shall be; no frontends: it is gone. */
export interface ServiceUpdate {
  serviceKey: string;
  frontends: readonly Frontend[];
}

export class Syncer {
  readonly #nft: Nft;
  readonly #log: Log;
  readonly #table = new ServiceTable();
  /** Whether the kernel has what the table had after the last update. */
  readonly #virtualRanges: readonly string[];
  #isInSync = false;

  /** `virtualRanges`: CIDRs of addresses that exist only as frontends. */
  constructor(nft: Nft, virtualRanges: readonly string[], log: Log) {
    this.#nft = nft;
    this.#virtualRanges = virtualRanges;
    this.#log = log;
  }

  /**
   * Applies the updates in one transaction; the first call replaces whatever is there. Rejects when
   * nft doesn't work at all; the next call then begins with everything.
   */
  async apply(updates: readonly ServiceUpdate[], signal?: AbortSignal): Promise<void> {
    const commands = updates.flatMap(({ serviceKey, frontends }) =>
      this.#table.update(serviceKey, frontends),
    );
    if (this.#isInSync) {
      const result = await this.#tryApply(compact(commands), signal);
      if (result.ok) return;
      this.#log(
        `proxy: ${nameOf(result.service)}: nftables refused a change: ${result.message}; ` +
          "loading all Services anew",
      );
    }
    await this.#resync(signal);
  }

  async #tryApply(commands: readonly Command[], signal?: AbortSignal) {
    this.#isInSync = false;
    const result = await this.#nft.apply(render(commands), signal);
    this.#isInSync = result.ok;
    return result;
  }

  async #resync(signal?: AbortSignal): Promise<void> {
    this.#isInSync = false;
    for (let leftOut = 0; leftOut <= MAX_LEFT_OUT; leftOut++) {
      const empty = emptyTable(this.#virtualRanges).map((text) => ({ text, service: "" }));
      const statements = [...empty, ...render(this.#table.all())];
      const result = await this.#nft.apply(statements, signal);
      if (result.ok) {
        this.#isInSync = true;
        return;
      }
      if (result.service === "") throw new Error(`nftables refused the rules: ${result.message}`);
      this.#log(
        `proxy: ${nameOf(result.service)} is left out until it changes, for nftables refused it: ` +
          result.message,
      );
      this.#table.update(result.service, []);
    }
    throw new Error(`nftables refused more than ${MAX_LEFT_OUT} Services`);
  }
}

function nameOf(service: string): string {
  return service === "" ? "the table" : `Service ${service}`;
}
