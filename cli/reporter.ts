/** How `up` tells what it does: a line a step with its time, to a terminal or to a parent. */

/** Prints steps; made by `consoleReporter` or, in a detached supervisor, `parentReporter`. */
export interface Reporter {
  /** Runs a step and prints it with its duration; a failing step is printed and rethrown. */
  step<T>(title: string, work: (detail: (text: string) => void) => Promise<T>): Promise<T>;
  readonly line: (text: string) => void;
}

/** Hands finished lines to `print`; a step that fails because the signal came is no failure. */
export function lineReporter(print: (line: string) => void, signal: AbortSignal): Reporter {
  return {
    line: print,
    async step(title, work) {
      const started = performance.now();
      let detail = "";
      const took = (): string => formatDuration(performance.now() - started).padStart(8);
      try {
        const result = await work((text) => {
          detail = `  ${text}`;
        });
        print(`${took()}  ${title}${detail}`);
        return result;
      } catch (error) {
        print(`${took()}  ${title}: ${signal.aborted ? "interrupted" : "failed"}`);
        throw error;
      }
    },
  };
}

/** `340 ms` below a second, `2.1 s` from then on. */
export function formatDuration(ms: number): string {
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
}
