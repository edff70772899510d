/** Whose requests and connections are told of. */

/** Calls that a workload makes are watched by a client, those that it gets by a server. */
export type Side = "client" | "server";

/** What is read of a scope, beside its telemetry. */
export interface Viewpoint {
  readonly side: Side;
  /** Providers whose services can be called. */
  readonly collectors: readonly string[];
  readonly tracedAs: string;
  readonly namespace: string;
  readonly isGateway: boolean;
}
