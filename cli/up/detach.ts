/** `up --detach`: a supervisor in the background that tells its parent how it gets on. */

import { spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync } from "node:fs";
import path from "node:path";
import type { StatePaths } from "#cli/state.ts";
import { nodeEnvironment } from "./node-environment.ts";
import type { UpCommandOptions } from "./options.ts";

/** What a detached supervisor says over its IPC channel. */
type Message =
  { kind: "line"; text: string } | { kind: "ready" } | { kind: "failed"; message: string };

/** Starts the supervisor, prints its steps, and returns once all is ready (0) or failed (1). */
export async function detach(options: UpCommandOptions, paths: StatePaths): Promise<number> {
  mkdirSync(paths.logs, { recursive: true, mode: 0o700 });
  const log = openSync(path.join(paths.logs, "supervisor.log"), "a", 0o600);
  const entry = path.join(import.meta.dirname, "..", "main.ts");
  const child = spawn(process.execPath, [entry, "up", "--supervise", ...argumentsOf(options)], {
    detached: true,
    env: { ...process.env, ...nodeEnvironment() },
    stdio: ["ignore", log, log, "ipc"],
  });
  closeSync(log);
  const cancel = (): void => {
    child.kill("SIGTERM");
  };
  process.on("SIGINT", cancel);
  process.on("SIGTERM", cancel);
  return new Promise((resolve) => {
    child.on("message", (message: Message) => {
      if (message.kind === "line") {
        console.log(message.text);
        return;
      }
      if (message.kind === "failed") console.error(`lateen: ${message.message}`);
      if (message.kind === "ready") {
        child.disconnect();
        child.unref();
        resolve(0);
      }
    });
    const ended = (code: number | null, signal: NodeJS.Signals | null): void => {
      if (signal !== null) {
        console.error(`lateen: the supervisor was ended by ${signal}: \`lateen down\` cleans up`);
      }
      resolve(code === null || code === 0 ? 1 : code);
    };
    child.on("exit", (code, signal) => {
      // What it said last may still be on the way.
      if (!child.connected) ended(code, signal);
      else
        child.once("disconnect", () => {
          ended(code, signal);
        });
    });
  });
}

/** Prints to the parent while there is one, and to the supervisor's log. */
export function parentPrint(line: string): void {
  console.log(line);
  tellParent({ kind: "line", text: line });
}

/** Says something to the parent; silent once it has gone. */
export function tellParent(message: Message): void {
  if (process.connected) process.send?.(message);
}

function argumentsOf(options: UpCommandOptions): string[] {
  return [
    "--name",
    options.name,
    ...(options.home === undefined ? [] : ["--home", options.home]),
    ...(options.nodes === undefined ? [] : ["--nodes", String(options.nodes)]),
    ...(options.apiPort === undefined ? [] : ["--api-port", String(options.apiPort)]),
    ...(options.demo ? ["--demo"] : []),
  ];
}
