/**
 * Resolves as soon as `condition` holds (or returns without throwing a failed expectation),
 * looking again every turn of the event loop; fails with `what` after `timeoutMs`.
 */
export async function waitUntil(
  what: string,
  condition: () => boolean | Promise<boolean>,
  timeoutMs = 5_000,
): Promise<void> {
  const endMs = Date.now() + timeoutMs;
  for (;;) {
    if (await condition()) return;
    if (Date.now() > endMs) throw new Error(`not within ${timeoutMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}
