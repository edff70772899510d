import type { ScopeState } from "./scope-state.ts";
import type { ResourceTable } from "#pilot/cache/table.ts";
import type { TypeUrl } from "#pilot/cache/type-url.ts";
import type { ProxyView } from "#pilot/cache/view.ts";
import type { VirtualHostDelivery } from "#pilot/envoy/build.ts";
import type { Proxy } from "#pilot/model/proxy.ts";

export interface ConnectionOptions {
  virtualHosts: VirtualHostDelivery;
  onChange: () => void;
  onClose: () => void;
}

/** A connected proxy with the scopes that it belongs to; what its stream sees is theirs. */
export class Connection implements ProxyView {
  readonly proxy: Proxy;
  readonly virtualHosts: VirtualHostDelivery;
  readonly onChange: () => void;
  readonly #onClose: () => void;
  /** Outbound and workload, once it has been placed. */
  states: readonly ScopeState[] = [];

  constructor(proxy: Proxy, options: ConnectionOptions) {
    this.proxy = proxy;
    this.virtualHosts = options.virtualHosts;
    this.onChange = options.onChange;
    this.#onClose = options.onClose;
  }

  get proxyId(): string {
    return this.proxy.id;
  }

  tables(type: TypeUrl): ResourceTable[] {
    return this.states.flatMap((state) => state.table(type, this.virtualHosts) ?? []);
  }

  close(): void {
    this.#onClose();
  }
}
