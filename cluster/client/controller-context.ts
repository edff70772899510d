import type { KubeClient } from "./client.ts";
import type { Clock } from "./clock.ts";
import type { InformerSet } from "./informer-set.ts";

/** What every controller is started with; it registers its handlers before its first await. */
export interface ControllerContext {
  client: KubeClient;
  informers: InformerSet;
  clock: Clock;
  signal: AbortSignal;
}
