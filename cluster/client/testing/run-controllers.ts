/** Starts controllers on a FakeApi (or any client), as `cluster/controllers/run.ts` does. */

import type { KubeClient } from "#cluster/client/client.ts";
import { systemClock } from "#cluster/client/clock.ts";
import type { Clock } from "#cluster/client/clock.ts";
import type { ControllerContext } from "#cluster/client/controller-context.ts";
import { InformerSet } from "#cluster/client/informer-set.ts";

export interface RunningControllers {
  /** Ends them and waits until they have ended. */
  stop(): Promise<void>;
}

/** Controllers share informers; a controller that fails makes `stop` reject. */
export function startControllers(
  client: KubeClient,
  controllers: readonly ((context: ControllerContext) => Promise<void>)[],
  clock: Clock = systemClock,
): RunningControllers {
  const abort = new AbortController();
  const { signal } = abort;
  const informers = new InformerSet(client);
  const running = controllers.map((run) => run({ client, informers, clock, signal }));
  const watching = informers.run(signal);
  const all = Promise.all([...running, watching]);
  all.catch(() => undefined);
  return {
    async stop() {
      abort.abort();
      await all;
    },
  };
}
