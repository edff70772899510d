/** Requests → destinations. */

import type { ClusterName } from "./name.ts";
import type { Origin } from "./origin.ts";

export type StringMatch =
  | { readonly kind: "exact"; readonly value: string; readonly ignoreCase?: boolean }
  | { readonly kind: "prefix"; readonly value: string; readonly ignoreCase?: boolean }
  /** RE2, of the whole text. */
  | { readonly kind: "regex"; readonly value: string };

export interface HeaderMatch {
  /** Lower case; `:method`, `:authority`, `:scheme` for the request line. */
  readonly name: string;
  /** Absent: the header only has to be there. */
  readonly match?: StringMatch;
  /** Also true where the header is missing. */
  readonly invert: boolean;
}

export interface QueryMatch {
  readonly name: string;
  readonly match?: StringMatch;
}

/** `segments`: `/a` is `/a` itself and what begins with `/a/`. */
export type PathMatch =
  | StringMatch
  | { readonly kind: "segments"; readonly value: string; readonly ignoreCase?: boolean };

export interface RouteMatch {
  readonly path: PathMatch;
  readonly headers: readonly HeaderMatch[];
  readonly query: readonly QueryMatch[];
}

export interface HeaderOperations {
  readonly set: readonly (readonly [string, string])[];
  readonly add: readonly (readonly [string, string])[];
  readonly remove: readonly string[];
}

export interface WeightedCluster {
  readonly cluster: ClusterName;
  readonly weight: number;
  readonly requestHeaders?: HeaderOperations;
  readonly responseHeaders?: HeaderOperations;
  readonly hostRewrite?: string;
  readonly origins: readonly Origin[];
}

export interface RetryPolicy {
  readonly attempts: number;
  readonly retryOn: string;
  readonly retriableStatusCodes: readonly number[];
  readonly perTryTimeoutMs?: number;
  readonly backoffMs?: number;
  /** Choose another endpoint than the ones tried before. */
  readonly avoidPreviousHosts: boolean;
  readonly otherLocalities: boolean;
}

export type PathRewrite =
  /** Replaces the matched prefix or path. */
  | { readonly kind: "prefix"; readonly value: string }
  | { readonly kind: "regex"; readonly pattern: string; readonly substitution: string };

export interface Mirror {
  readonly cluster: ClusterName;
  /** In millionths. */
  readonly fraction: number;
}

export type HashPolicy =
  | { readonly kind: "header"; readonly name: string }
  | {
      readonly kind: "cookie";
      readonly name: string;
      readonly path?: string;
      /** The cookie is made where a client has none; 0 ends it with the client's session. */
      readonly ttlMs?: number;
      readonly attributes?: readonly { readonly name: string; readonly value: string }[];
    }
  | { readonly kind: "source-address" }
  | { readonly kind: "query"; readonly name: string };

export interface ForwardAction {
  readonly kind: "forward";
  /** One takes all; of several, each by its weight. */
  readonly clusters: readonly WeightedCluster[];
  /** 0: none. */
  readonly timeoutMs: number;
  readonly retry?: RetryPolicy;
  readonly pathRewrite?: PathRewrite;
  readonly hostRewrite?: string;
  readonly mirrors: readonly Mirror[];
  readonly hash: readonly HashPolicy[];
  /** The answer where a cluster doesn't exist; 503 where absent. */
  readonly unknownStatus?: 500;
}

export interface RedirectAction {
  readonly kind: "redirect";
  readonly path?: { readonly kind: "full" | "prefix"; readonly value: string };
  readonly host?: string;
  readonly scheme?: string;
  readonly port?: number;
  readonly code: 301 | 302 | 303 | 307 | 308;
}

export interface RespondAction {
  readonly kind: "respond";
  readonly status: number;
  readonly body?: { readonly kind: "text" | "base64"; readonly value: string };
}

export interface Fault {
  readonly delay?: { readonly durationMs: number; readonly fraction: number };
  readonly abort?: {
    readonly code: { readonly kind: "http" | "grpc"; readonly value: number };
    readonly fraction: number;
  };
}

export interface Cors {
  readonly allowOrigins: readonly StringMatch[];
  readonly allowMethods: readonly string[];
  readonly allowHeaders: readonly string[];
  readonly exposeHeaders: readonly string[];
  readonly maxAgeSeconds?: number;
  readonly allowCredentials?: boolean;
  /** Preflights of other origins go on to the destination. */
  readonly forwardUnmatchedPreflights?: boolean;
}

export interface Route {
  readonly name: string;
  readonly match: RouteMatch;
  readonly action: ForwardAction | RedirectAction | RespondAction;
  readonly requestHeaders?: HeaderOperations;
  readonly responseHeaders?: HeaderOperations;
  readonly fault?: Fault;
  readonly cors?: Cors;
  /** Requests are counted by this name as well. */
  readonly statPrefix?: string;
  /** What traces call it: `host:port/*`. */
  readonly operation?: string;
  readonly origins: readonly Origin[];
}

export interface VirtualHost {
  readonly name: string;
  readonly domains: readonly string[];
  readonly routes: readonly Route[];
  /** Plain requests are redirected to https. */
  readonly requireTls: boolean;
  readonly origins: readonly Origin[];
}

export interface RouteConfiguration {
  readonly name: string;
  readonly virtualHosts: readonly VirtualHost[];
  /** `host:1234` finds the virtual host of `host`. */
  readonly ignorePort: boolean;
  readonly origins: readonly Origin[];
}
