import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "@jest/globals";
import { openSqliteStore } from "./sqlite-store.ts";

const folder = await mkdtemp(join(tmpdir(), "lateen-crash-"));
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Runs the writer, kills it with SIGKILL in the middle of its work, and tells what it had. */
function writeUntilKilled(file: string, lines: number): Promise<string[]> {
  return new Promise((resolve, reject) => {
    const script = new URL("testdata/crash-writer.ts", import.meta.url).pathname;
    const env = { ...process.env, NODE_OPTIONS: "" };
    const child = spawn(process.execPath, [script, file], {
      stdio: ["ignore", "pipe", "inherit"],
      env,
    });
    let output = "";
    child.stdout.on("data", (chunk: Buffer) => {
      output += chunk.toString();
      if (output.split("\n").length > lines) child.kill("SIGKILL");
    });
    child.on("error", reject);
    child.on("close", () => resolve(output.split("\n").slice(0, -1)));
  });
}

test("a store killed while writing has every acknowledged write when it opens again", async () => {
  const file = join(folder, "store.db");
  const acknowledged: string[] = [];
  for (const lines of [50, 700]) {
    acknowledged.push(...(await writeUntilKilled(`${file}${lines}`, lines)));
    const store = await openSqliteStore(`${file}${lines}`);
    for (const line of acknowledged.splice(0)) {
      const [key = "", revision] = line.split(" ");
      expect(store.get(key)).toMatchObject({ revision: Number(revision) });
    }
    expect(await store.create("/after", "still writable")).toMatchObject({ ok: true });
    await store.close();
  }
}, 30_000);
