/** What only waits for its API server would let the process end: timers of retries don't hold it. */

const FOR_EVER_MS = 2 ** 30;

/** Keeps the process running until `work` is done, also while nothing but a retry is ahead. */
export async function keepProcess<T>(work: () => Promise<T>): Promise<T> {
  const alive = setInterval(() => undefined, FOR_EVER_MS);
  try {
    return await work();
  } finally {
    clearInterval(alive);
  }
}
