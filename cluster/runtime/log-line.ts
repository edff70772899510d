/** The CRI log format: `TIME STREAM F|P CONTENT` a line; P is a piece of a line that goes on. */

export interface LogLine {
  /** As written, for example `2026-11-21T02:01:43.020316786+00:00`. */
  time: string;
  stream: "stdout" | "stderr";
  /** The content ends with the newline that the program wrote. */
  isFull: boolean;
  content: Buffer;
}

const SPACE = 0x20;
const NEWLINE = Buffer.from("\n");

/** A line without its newline; undefined when it is not in the format (cut by a crash). */
export function parseLogLine(line: Buffer): LogLine | undefined {
  const first = line.indexOf(SPACE);
  const second = line.indexOf(SPACE, first + 1);
  const third = line.indexOf(SPACE, second + 1);
  if (first <= 0 || second < 0 || third < 0) return undefined;
  const stream = line.toString("latin1", first + 1, second);
  const tag = line.toString("latin1", second + 1, third);
  if (stream !== "stdout" && stream !== "stderr") return undefined;
  return {
    time: line.toString("latin1", 0, first),
    stream,
    isFull: tag.startsWith("F"),
    content: line.subarray(third + 1),
  };
}

/** What a reader of the log sees of a line; with its time in UTC when asked for. */
export function renderLogLine(line: LogLine, timestamps: boolean): Buffer {
  const time = timestamps ? Buffer.from(`${line.time.replace(/\+00:00$/, "Z")} `) : Buffer.alloc(0);
  return Buffer.concat([time, line.content, line.isFull ? NEWLINE : Buffer.alloc(0)]);
}
