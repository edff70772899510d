/** Waiting for a condition, with a bound: the tests' only way to let time pass. */

const POLL_MS = 25;

/** Resolves with the first value that is not undefined or false; rejects after `boundMs`. */
export async function eventually<T>(
  what: string,
  boundMs: number,
  look: () => Promise<T | undefined | false>,
): Promise<T> {
  const deadline = performance.now() + boundMs;
  let lastError: unknown;
  for (;;) {
    try {
      const value = await look();
      if (value !== undefined && value !== false) return value;
    } catch (error) {
      lastError = error;
    }
    if (performance.now() > deadline) break;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  throw new Error(`${what}: not within ${boundMs} ms`, { cause: lastError });
}
