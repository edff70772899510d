/** How the benchmark's figures are read and printed. */

export interface Row {
  title: string;
  value: string;
}

/** One aligned line. */
export function printRow(title: string, value: string): void {
  console.log(`  ${title.padEnd(46)} ${value}`);
}

/** The duration that `lateen up` printed itself, as it printed it. */
export function secondsIn(output: string, pattern: RegExp): string {
  return pattern.exec(output)?.[1] ?? "not reached";
}

/** Median and maximum of durations in milliseconds. */
export function summarize(durationsMs: readonly number[]): string {
  const sorted = durationsMs.toSorted((a, b) => a - b);
  const median = sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
  return `${median.toFixed(0)} ms (max ${(sorted.at(-1) ?? Number.NaN).toFixed(0)} ms)`;
}
