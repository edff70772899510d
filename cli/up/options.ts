/** What `lateen up` can be told. */

import type { ClusterOptions } from "#cli/state.ts";

export interface UpOptions extends ClusterOptions {
  /** Absent: as many as the last time, at first one. */
  nodes?: number;
  /** Absent: the last one, 6443 or the next free one; taken: an error. */
  apiPort?: number;
}

export type UpCommandOptions = UpOptions & {
  demo: boolean;
  detach: boolean;
  /** Set in the process that `--detach` leaves running. */
  supervise?: boolean;
};
