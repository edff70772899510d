import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { appendFile, mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type LogOptions, readLog } from "./log-reader.ts";

const line = (second: number, text: string, stream = "stdout", tag = "F"): string =>
  `2026-01-01T00:00:0${second}.000000001+00:00 ${stream} ${tag} ${text}\n`;

describe("a container's log", () => {
  let folder: string;
  let path: string;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "lt-h4-log-"));
    path = join(folder, "0.log");
    await writeFile(path, [1, 2, 3, 4].map((second) => line(second, `line ${second}`)).join(""));
  });
  afterEach(() => rm(folder, { recursive: true }));

  async function read(options: Partial<LogOptions> = {}): Promise<string> {
    let text = "";
    const pieces = readLog(path, {
      follow: false,
      timestamps: false,
      signal: AbortSignal.timeout(4000),
      isRunning: () => false,
      ...options,
    });
    for await (const piece of pieces) text += piece.toString();
    return text;
  }

  test("whole, tailed, since a time, and limited", async () => {
    expect(await read()).toBe("line 1\nline 2\nline 3\nline 4\n");
    expect(await read({ tailLines: 2 })).toBe("line 3\nline 4\n");
    expect(await read({ tailLines: 0 })).toBe("");
    expect(await read({ tailLines: 99 })).toBe("line 1\nline 2\nline 3\nline 4\n");
    expect(await read({ sinceMs: Date.UTC(2026, 0, 1, 0, 0, 4) })).toBe("line 4\n");
    expect(await read({ limitBytes: 9 })).toBe("line 1\nli");
  });

  test("times are in UTC, pieces of a line are joined, streams can be chosen", async () => {
    await writeFile(path, line(1, "a", "stdout", "P") + line(1, "b") + line(2, "error", "stderr"));
    expect(await read()).toBe("ab\nerror\n");
    expect(await read({ stream: "stderr", timestamps: true })).toBe(
      "2026-01-01T00:00:02.000000001Z error\n",
    );
  });

  test("a tail longer than one piece of the file is found", async () => {
    const long = Array.from({ length: 5000 }, (_, index) => line(1, `${index} ${"x".repeat(40)}`));
    await writeFile(path, long.join(""));
    const text = await read({ tailLines: 3000 });
    expect(text.split("\n")).toHaveLength(3001);
    expect(text.startsWith("2000 ")).toBe(true);
  });

  test("following goes on through rotation and ends with the container", async () => {
    let running = true;
    const pieces: string[] = [];
    const reading = (async () => {
      const options = { follow: true, timestamps: false, tailLines: 1, isRunning: () => running };
      for await (const piece of readLog(path, { ...options, signal: AbortSignal.timeout(4000) })) {
        pieces.push(piece.toString());
        if (pieces.length === 1) await appendFile(path, line(5, "line 5"));
        if (pieces.length === 2) {
          await rename(path, `${path}.1`);
          await writeFile(path, line(6, "line 6"));
        }
        if (pieces.length === 3) running = false;
      }
    })();
    await reading;
    expect(pieces).toEqual(["line 4\n", "line 5\n", "line 6\n"]);
  });

  test("a log that isn't there is empty", async () => {
    await rm(path);
    expect(await read()).toBe("");
  });
});
