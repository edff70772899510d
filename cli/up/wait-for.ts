/** Waiting for a condition of the world, with a bound. */

const POLL_MS = 40;

/** Asks until `look` answers with a value; rejects, naming `what` and the last error, on abort. */
export async function waitFor<T>(
  signal: AbortSignal,
  what: string,
  look: () => Promise<T | undefined>,
): Promise<T> {
  let lastError: unknown;
  while (!signal.aborted) {
    try {
      const value = await look();
      if (value !== undefined) return value;
      lastError = undefined;
    } catch (error) {
      lastError = error;
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  const reason = lastError instanceof Error ? `: ${lastError.message}` : "";
  throw new Error(`waited in vain for ${what}${reason}`, { cause: lastError });
}
