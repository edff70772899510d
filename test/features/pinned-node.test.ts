/** `bin/` on an older Node: it must start the pinned one, and say what keeps that from running. */

import { execFile } from "node:child_process";
import { cp, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";

const run = promisify(execFile);
const BIN = path.join(path.dirname(path.dirname(import.meta.dirname)), "bin");
const SYSTEM_NODE = "/usr/bin/node";

const version = await run(SYSTEM_NODE, ["-p", "process.versions.node"]).then(
  ({ stdout }) => Number.parseInt(stdout, 10),
  () => undefined,
);
const isOlder = version !== undefined && version < 26;
if (!isOlder) process.stderr.write(`bin/ is not tried: ${SYSTEM_NODE} is no older Node\n`);

(isOlder ? describe : describe.skip)("the pinned Node", () => {
  let root = "";

  beforeEach(async () => {
    root = await mkdtemp(path.join(tmpdir(), "lt-bin-"));
    await cp(BIN, path.join(root, "bin"), { recursive: true });
    await writeFile(path.join(root, "package.json"), JSON.stringify({ type: "module" }));
  });
  afterEach(() => rm(root, { recursive: true, force: true }));

  /** Installs a shell script as Node and runs the command as someone who isn't root. */
  async function lateen(script: string): Promise<{ code: number; stdout: string; stderr: string }> {
    const folder = path.join(root, "node_modules", "node", "bin");
    await mkdir(folder, { recursive: true });
    await writeFile(path.join(folder, "node"), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    await run("chmod", ["-R", "a+rX", root]);
    const nobody = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {};
    return run(SYSTEM_NODE, [path.join(root, "bin", "lateen.js"), "status"], nobody).then(
      ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
      (error: { code: number; stdout: string; stderr: string }) => error,
    );
  }

  test("gets the entry and the arguments, and its exit code is ours", async () => {
    const result = await lateen('[ "$1" = --version ] || { echo "$@"; exit 7; }');
    expect(result.code).toBe(7);
    expect(result.stdout).toBe(`${path.join(root, "cli", "main.ts")} status\n`);
  });

  test("without a library that it needs: one line with the package that has it", async () => {
    const result = await lateen(
      "echo 'node: error while loading shared libraries: libatomic.so.1: cannot open shared " +
        "object file: No such file or directory' >&2; exit 127",
    );
    expect(result).toMatchObject({ code: 1, stdout: "" });
    expect(result.stderr).toBe(
      "lateen: libatomic.so.1 is missing, which Node 26 needs: " +
        "as root, apt-get install -y --no-install-recommends libatomic1\n",
    );
  });
});
