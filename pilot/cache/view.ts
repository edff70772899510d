/** The seam between the room that makes resources and the one that sends them. */

import type { Protocol } from "./shared-frames.ts";
import type { EncodedResource } from "./resource.ts";
import type { ResourceTable } from "./table.ts";
import type { TypeUrl } from "./type-url.ts";

/** What one connected proxy sees, kept up to date until it is closed. */
export interface ProxyView {
  /** For metrics and dumps. */
  readonly proxyId: string;
  /**
   * The tables that make up a type; a name that is in two of them is the same resource. Other tables than the last time mean
   * that the proxy's class has changed. Tables may be filled at the first call.
   */
  tables(type: TypeUrl): readonly ResourceTable[];
  /** A resource as it is without the patches that have changed it, for clients that refuse them. */
  unpatched?(type: TypeUrl, name: string): EncodedResource | undefined;
  close(): void;
}

export interface OpenOptions {
  protocol: Protocol;
  /** Called when tables of the view have changed or are others; never from within `open`. */
  onChange: () => void;
  /** `address:port` of the client. */
  peer?: string;
  /** Who may be sent secrets that concern it; default: nobody. */
  secrets?: SecretAccess;
}

/** `workloads`: a client whose address is that of a workload in the namespace that it names. */
export type SecretAccess = "nobody" | "workloads" | "everybody";

export type OpenResult = { ok: true; view: ProxyView } | { ok: false; message: string };

/** Opens the view of a proxy by what it says about itself: an Envoy `Node` as ProtoJSON, untrusted. */
export type OpenView = (node: Record<string, unknown>, options: OpenOptions) => OpenResult;
