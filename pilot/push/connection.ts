import type { ScopeState } from "./scope-state.ts";
import type { EncodedResource } from "#pilot/cache/resource.ts";
import type { ResourceTable } from "#pilot/cache/table.ts";
import { SECRET } from "#pilot/cache/type-url.ts";
import type { TypeUrl } from "#pilot/cache/type-url.ts";
import type { ProxyView, SecretAccess } from "#pilot/cache/view.ts";
import type { ClientForm } from "#pilot/envoy/build.ts";
import type { Proxy } from "#pilot/model/proxy.ts";

export interface ConnectionOptions {
  form: ClientForm;
  onChange: () => void;
  onClose: () => void;
  /** IP address of the client, where it is known. */
  address?: string;
  secrets?: SecretAccess;
}

/** A connected proxy with the scopes that it belongs to; what its stream sees is theirs. */
export class Connection implements ProxyView {
  readonly proxy: Proxy;
  readonly form: ClientForm;
  readonly onChange: () => void;
  readonly address: string | undefined;
  readonly #onClose: () => void;
  readonly #secrets: SecretAccess;
  #isKnown = false;
  #hasAsked = false;
  /** Outbound and workload, once it has been placed. */
  states: readonly ScopeState[] = [];

  constructor(proxy: Proxy, options: ConnectionOptions) {
    this.proxy = proxy;
    this.form = options.form;
    this.onChange = options.onChange;
    this.address = options.address;
    this.#onClose = options.onClose;
    this.#secrets = options.secrets ?? "nobody";
  }

  get proxyId(): string {
    return this.proxy.id;
  }

  /**
   * Notes whether the client's address is that of a workload of the namespace that the proxy says
   * to be in. True if that changes what it may see.
   */
  identify(isKnown: boolean): boolean {
    const before = this.mayHaveSecrets;
    this.#isKnown = isKnown;
    return this.mayHaveSecrets !== before;
  }

  get mayHaveSecrets(): boolean {
    return this.#secrets === "everybody" || (this.#secrets === "workloads" && this.#isKnown);
  }

  /** Whether there are secrets that it has asked for and would get if its address were known. */
  get lacksSecrets(): boolean {
    if (!this.#hasAsked || this.#secrets !== "workloads" || this.#isKnown) return false;
    return this.states.some((state) => (state.table(SECRET, this.form)?.size ?? 0) > 0);
  }

  tables(type: TypeUrl): ResourceTable[] {
    this.#hasAsked ||= type === SECRET;
    if (type === SECRET && !this.mayHaveSecrets) return [];
    return this.states.flatMap((state) =>
      [state.table(type, this.form), state.tableOnDemand(type)].filter((one) => one !== undefined),
    );
  }

  unpatched(type: TypeUrl, name: string): EncodedResource | undefined {
    for (const state of this.states) {
      const resource = state.unpatched(type, name, this.form);
      if (resource !== undefined) return resource;
    }
    return undefined;
  }

  close(): void {
    this.#onClose();
  }
}
