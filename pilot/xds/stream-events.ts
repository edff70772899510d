/** What the outside hears of streams: metrics, logs, statuses. */

import type { EncodedResource } from "#pilot/cache/resource.ts";
import type { TypeUrl } from "#pilot/cache/type-url.ts";
import type { ProxyView } from "#pilot/cache/view.ts";

/** A client has refused a response; what it had before stays in force there. */
export interface Rejection {
  proxyId: string;
  type: TypeUrl;
  nonce: string;
  message: string;
  /** The one that is to blame; none where the client finds fault with the response as a whole. */
  resources: readonly EncodedResource[];
  /** It is sent the resource without patches instead. */
  isReplaced?: boolean;
}

/** A client has taken a response: from now on it does what these resources say. */
export interface Acknowledgement {
  view: ProxyView;
  type: TypeUrl;
  resources: readonly EncodedResource[];
  removed: readonly string[];
  /** Since the response was sent. */
  afterMs: number;
}

/** Called often; must be cheap. */
export interface StreamEvents {
  sent(type: TypeUrl, bytes: number): void;
  acknowledged(answer: Acknowledgement): void;
  rejected(rejection: Rejection): void;
  /** What the client refused is history: it is sent anew, gone or unwanted, or the client left. */
  recovered(rejection: Rejection): void;
  /** All that a change made necessary is acknowledged, so long after it was noticed. */
  converged(view: ProxyView, afterMs: number): void;
}
