import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect, test } from "@jest/globals";
import { run } from "./tools.ts";

test("a program that is told to stop has ended when the caller hears of it", async () => {
  const folder = await mkdtemp(path.join(tmpdir(), "lateen-tools-"));
  const mark = path.join(folder, "ended");
  const script = 'trap "sleep 0.2; : > $MARK; exit" TERM; echo ready; while :; do sleep 0.01; done';
  const stop = new AbortController();
  const running = run("sh", ["-c", script], {
    env: { ...process.env, MARK: mark },
    signal: stop.signal,
    onLine: () => stop.abort(),
  });
  await expect(running).rejects.toThrow("cannot run sh");
  expect(existsSync(mark)).toBe(true);
  await rm(folder, { recursive: true, force: true });
});

test("a program that isn't there is named", async () => {
  await expect(run("/nonexistent/program", [])).rejects.toThrow("cannot run /nonexistent/program");
});
