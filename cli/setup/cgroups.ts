/** Whether containers can be limited here. */

import { detectCgroups } from "#cluster/runtime/cgroup.ts";
import { limitsProblem } from "#cluster/runtime/cgroup-limits.ts";
import { UsageError } from "#cli/state.ts";

/** For `doctor`: the version in use; rejects with UsageError that says what is wrong and the mend. */
export async function requireCgroups(): Promise<string> {
  const host = await detectCgroups().catch((cause: Error) => {
    throw new UsageError(cause.message, { cause });
  });
  const problem = await limitsProblem(host);
  if (problem !== undefined) {
    throw new UsageError(`control groups can't limit containers: ${problem}`);
  }
  return `version ${host.version}${host.hybrid ? ", hybrid" : ""}`;
}
