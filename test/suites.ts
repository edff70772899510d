/** Running suites of tests and checks, and adding up what passed. */

import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";

export interface Counts {
  passed: number;
  failed: number;
  skipped: number;
}

const NODE_OPTIONS = "--experimental-vm-modules --disable-warning=ExperimentalWarning";
const ROOT = path.dirname(import.meta.dirname);

/** Runs one jest project and reads its counts; a suite that can't be loaded counts as failed. */
export async function runJest(project: "unit" | "e2e", args: readonly string[]): Promise<Counts> {
  const folder = await mkdtemp(path.join(tmpdir(), "lateen-jest-"));
  const outputFile = path.join(folder, "result.json");
  const jest = path.join(ROOT, "node_modules", "jest", "bin", "jest.js");
  // One cluster at a time: end-to-end suites share the machine's two cores and its ports.
  const workers = project === "e2e" ? ["--runInBand"] : ["--maxWorkers=2"];
  try {
    const code = await inherit(
      process.execPath,
      [
        jest,
        "--selectProjects",
        project,
        ...workers,
        "--json",
        `--outputFile=${outputFile}`,
        ...args,
      ],
      { NODE_OPTIONS },
    );
    return await readCounts(outputFile, code);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Runs a command that passes or fails as a whole. */
export async function runCheck(title: string, command: readonly string[]): Promise<Counts> {
  const [program = "", ...args] = command;
  const started = performance.now();
  const code = await inherit(path.join(ROOT, "node_modules", ".bin", program), args, {});
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  console.log(`${code === 0 ? "passed" : "FAILED"}  ${title}  ${seconds} s`);
  return { passed: code === 0 ? 1 : 0, failed: code === 0 ? 0 : 1, skipped: 0 };
}

/** The sum of several suites. */
export function total(counts: readonly Counts[]): Counts {
  return counts.reduce(
    (sum, { passed, failed, skipped }) => ({
      passed: sum.passed + passed,
      failed: sum.failed + failed,
      skipped: sum.skipped + skipped,
    }),
    { passed: 0, failed: 0, skipped: 0 },
  );
}

/** Prints the closing line and sets the exit code: a run without any test has failed. */
export function close(counts: Counts): void {
  console.log(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`);
  process.exitCode = counts.failed > 0 || counts.passed === 0 ? 1 : 0;
}

async function readCounts(outputFile: string, code: number): Promise<Counts> {
  const text = await readFile(outputFile, "utf8").catch(() => undefined);
  if (text === undefined) return { passed: 0, failed: 1, skipped: 0 };
  const result = JSON.parse(text) as Record<string, number>;
  const failed = (result.numFailedTests ?? 0) + (result.numRuntimeErrorTestSuites ?? 0);
  return {
    passed: result.numPassedTests ?? 0,
    failed: code !== 0 && failed === 0 ? 1 : failed,
    skipped: (result.numPendingTests ?? 0) + (result.numTodoTests ?? 0),
  };
}

async function inherit(
  command: string,
  args: readonly string[],
  env: Record<string, string>,
): Promise<number> {
  const child = spawn(command, args, {
    cwd: ROOT,
    stdio: "inherit",
    // The pinned Node comes first, for tools whose first line is `#!/usr/bin/env node`.
    env: {
      ...process.env,
      PATH: `${path.dirname(process.execPath)}${path.delimiter}${process.env.PATH ?? ""}`,
      ...env,
    },
  });
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("exit", (code) => {
      resolve(code ?? 1);
    });
  });
}
