/** Starts conmon, which creates the container, and waits for the pid that it reports. */

import { spawn } from "node:child_process";
import { open, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { ContainerError } from "./container.ts";
import { type CommandLine, cleanMessage } from "./oci-runtime.ts";

const CREATE_TIMEOUT_MS = 60_000;
const MAX_REPORT_BYTES = 64 << 10;

/**
 * Runs a launch line (`OciRuntime.launchLine`) and answers with the container's first process. It
 * waits to be started. CreateContainerError carries what the OCI runtime said.
 */
export async function launch(line: CommandLine, dir: string, cwd: string): Promise<number> {
  const log = await open(join(dir, "launch.log"), "w");
  try {
    const child = spawn(line.command, line.args, {
      cwd,
      detached: true,
      stdio: ["ignore", log.fd, log.fd, "pipe"],
      // mount(8) of util-linux ≥ 2.39 can't pass many layers through the new mount calls.
      env: { PATH: process.env.PATH, _OCI_SYNCPIPE: "3", LIBMOUNT_FORCE_MOUNT2: "always" },
    });
    child.unref();
    const report = await readReport(child.stdio[3] as Readable, child);
    return await pidOf(report, dir);
  } finally {
    await log.close();
  }
}

function readReport(pipe: Readable, child: ReturnType<typeof spawn>): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = "";
    const timer = setTimeout(() => {
      child.kill("SIGKILL");
      finish(`no answer from conmon within ${CREATE_TIMEOUT_MS / 1000} s`);
    }, CREATE_TIMEOUT_MS);
    const finish = (problem?: string): void => {
      clearTimeout(timer);
      pipe.destroy();
      if (problem === undefined) resolve(text);
      else reject(new ContainerError("CreateContainerError", problem));
    };
    pipe.setEncoding("utf8");
    pipe.on("data", (chunk: string) => {
      text += chunk;
      if (text.includes("\n") || text.length > MAX_REPORT_BYTES) finish();
    });
    pipe.on("end", () => finish());
    pipe.on("error", (error) => finish(`conmon's report can't be read: ${error.message}`));
    child.on("error", (error) => finish(`${child.spawnfile} can't be started: ${error.message}`));
  });
}

async function pidOf(report: string, dir: string): Promise<number> {
  const log = async () => cleanMessage(await readFile(join(dir, "launch.log"), "utf8"));
  let parsed: { pid?: unknown; data?: unknown; message?: unknown };
  try {
    parsed = JSON.parse(report) as typeof parsed;
  } catch (cause) {
    const said = (await log()) || "conmon ended without a report";
    throw new ContainerError("CreateContainerError", said, { cause });
  }
  const pid = parsed.pid ?? parsed.data;
  if (typeof pid === "number" && pid > 0) return pid;
  const message = typeof parsed.message === "string" ? cleanMessage(parsed.message) : "";
  throw new ContainerError("CreateContainerError", message || (await log()) || "create failed");
}
