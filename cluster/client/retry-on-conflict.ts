import { hasReason } from "#cluster/api/status-error.ts";

const ATTEMPTS = 5;

/**
 * Runs a read-modify-write again when somebody else wrote in between. `attempt` must read anew each
 * time; the conflict of the fifth try is thrown.
 */
export async function retryOnConflict<R>(attempt: () => Promise<R>): Promise<R> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await attempt();
    } catch (error) {
      if (tries >= ATTEMPTS || !hasReason(error, "Conflict")) throw error;
    }
  }
}
