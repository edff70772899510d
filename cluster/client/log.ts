/** Takes one line for the log; components receive it, so that tests can be quiet. */
export type Log = (line: string) => void;

/** Writes to stderr with the time; the supervisor keeps each process's stderr as a file. */
export const stderrLog: Log = (line) => {
  process.stderr.write(`${new Date().toISOString()} ${line}\n`);
};

/** An error in one line: its message and those of its causes. */
export function describeError(error: unknown): string {
  if (!Error.isError(error)) return String(error);
  const message = error.message === "" ? error.name : error.message;
  return error.cause === undefined || message.includes(describeError(error.cause))
    ? message
    : `${message}: ${describeError(error.cause)}`;
}
