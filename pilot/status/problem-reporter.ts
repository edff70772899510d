/** Says each problem once, to whoever listens, as long as it lasts. */

/** Something wrong with an object, or with what a proxy made of it. */
export interface ReportedProblem {
  /** `Kind/namespace/name`. */
  readonly object: string;
  /** From the object; empty where no field is to blame. */
  readonly path: string;
  readonly reason: string;
  readonly message: string;
}

export interface ProblemReporterOptions {
  /** All problems of now. */
  current: () => readonly ReportedProblem[];
  tell: (problem: ReportedProblem) => void;
  /** Runs something later; tests bring their own. */
  after?: (ms: number, run: () => void) => void;
}

/** What is gone after this time was only on the way: objects of one file come one after the other. */
const SETTLE_MS = 1000;
/** More at once are the same mistake many times, or an attack on the log. */
const MAX_TOLD = 100;
const MAX_REMEMBERED = 10_000;

/** Looks after changes, once a second at most; a problem that goes and comes back is told again. */
export class ProblemReporter {
  readonly #options: ProblemReporterOptions;
  #told = new Set<string>();
  #scheduled = false;

  constructor(options: ProblemReporterOptions) {
    this.#options = options;
  }

  /** Something has changed, so that there may be other problems than before. */
  noteChange(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    const after =
      this.#options.after ?? ((ms: number, run: () => void) => void setTimeout(run, ms).unref());
    after(SETTLE_MS, () => {
      this.#scheduled = false;
      this.#look();
    });
  }

  #look(): void {
    const still = new Set<string>();
    let told = 0;
    for (const problem of this.#options.current()) {
      const key = textOf(problem);
      if (still.has(key) || still.size >= MAX_REMEMBERED) continue;
      if (!this.#told.has(key)) {
        // The rest comes with the next look.
        if (told >= MAX_TOLD) continue;
        told++;
        this.#options.tell(problem);
      }
      still.add(key);
    }
    this.#told = still;
    if (told >= MAX_TOLD) this.noteChange();
  }
}

/** `VirtualService/default/web: spec.http[0].timeout: soon is not a duration (InvalidDuration)`. */
export function textOf({ object, path, reason, message }: ReportedProblem): string {
  const where = path === "" ? object : `${object}: ${path}`;
  return `${where}: ${message} (${reason})`;
}
