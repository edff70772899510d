/** Where the calls of a cluster go. */

import type { ClusterName } from "./name.ts";
import type { Origin } from "./origin.ts";

export interface Endpoint {
  /** IP address, `unix://PATH`, or a DNS name in clusters that resolve names. */
  readonly address: string;
  readonly port: number;
  readonly weight: number;
  readonly health: "healthy" | "unhealthy" | "draining";
  /**
   * `workload;namespace;canonical-name;canonical-revision;cluster`, as access logs and stats read
   * it.
   */
  readonly workload: string;
  /** The peer accepts the mesh's mutual TLS. */
  readonly meshTls: boolean;
}

export interface LocalityEndpoints {
  readonly region: string;
  readonly zone: string;
  readonly subZone: string;
  /** 0 is tried first. */
  readonly priority: number;
  /** Against other localities of the same priority; 0 where it is the only one. */
  readonly weight: number;
  readonly endpoints: readonly Endpoint[];
}

export interface EndpointAssignment {
  readonly cluster: ClusterName;
  readonly localities: readonly LocalityEndpoints[];
  readonly origins: readonly Origin[];
}
