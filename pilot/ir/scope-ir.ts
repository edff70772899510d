/** Everything that one class of proxies must do. */

import type { Cluster } from "./cluster.ts";
import type { EndpointAssignment } from "./endpoint.ts";
import type { Listener } from "./listener.ts";
import type { RouteConfiguration } from "./route.ts";
import type { Secret } from "./secret.ts";

/** Something wrong with an object that this class of proxies would use. */
export interface IrProblem {
  readonly object: string;
  readonly path: string;
  readonly severity: "error" | "warning";
  readonly reason: string;
  readonly message: string;
}

/**
 * Each list has a stable order and is made when it is first read, so that a proxy which asks for
 * endpoints costs no routes. A node that has not changed since the last translation is the same
 * object: comparing by identity finds what to send.
 */
export interface ScopeIr {
  readonly clusters: readonly Cluster[];
  readonly listeners: readonly Listener[];
  readonly routes: readonly RouteConfiguration[];
  /** One for each `discovered` cluster. */
  readonly endpoints: readonly EndpointAssignment[];
  /** What proxies may discover by name, if they ask. */
  readonly secrets: readonly Secret[];
  /** Problems of whatever lists were read so far. */
  readonly problems: readonly IrProblem[];
}
