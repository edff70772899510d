/** /exec and /attach over WebSocket channels. */

import { setTimeout } from "node:timers/promises";
import { PassThrough } from "node:stream";
import type { WebSocket } from "ws";
import { openStdin, resizeContainer } from "#cluster/runtime/attach.ts";
import { type TerminalSize, startExec } from "#cluster/runtime/exec.ts";
import { readLog } from "#cluster/runtime/log-reader.ts";
import { Channels, exitStatus, failureStatus } from "./channels.ts";
import type { ContainerTarget, ServerContext } from "./targets.ts";

export interface StreamRequest {
  command: readonly string[];
  stdin: boolean;
  stdout: boolean;
  stderr: boolean;
  tty: boolean;
}

/** After the command has ended, its background children may hold its output for this long. */
const OUTPUT_GRACE_MS = 2_000;
const SIZE_WAIT_MS = 100;

/** Reads both spellings: the kubelet's (`input`, `output`, `error`) and PodExecOptions'. */
export function parseStreamQuery(query: URLSearchParams): StreamRequest {
  const flag = (...names: string[]): boolean =>
    names.some((name) => ["1", "true"].includes(query.get(name) ?? ""));
  return {
    command: query.getAll("command"),
    stdin: flag("input", "stdin"),
    stdout: flag("output", "stdout"),
    stderr: flag("error", "stderr"),
    tty: flag("tty"),
  };
}

/** Runs the command and ends the socket with its exit code; the command ends with its client. */
export async function serveExec(
  server: ServerContext,
  target: ContainerTarget,
  request: StreamRequest,
  socket: WebSocket,
): Promise<void> {
  const exec = server.context.runtime.execTarget(target.status.id);
  // What the client sends before the command runs must not be lost.
  const stdin = new PassThrough();
  const firstSize = Promise.withResolvers<TerminalSize>();
  let resize = (columns: number, rows: number): void => firstSize.resolve({ columns, rows });
  let kill: () => void = () => undefined;
  let isClosed = false;
  const channels = new Channels(socket, {
    stdin: request.stdin ? stdin : undefined,
    resize: (columns, rows) => resize(columns, rows),
    closed: () => {
      isClosed = true;
      kill();
    },
  });
  try {
    // A client with a terminal tells its size at once; the runtime sets it as the command starts.
    const size = request.tty
      ? await Promise.race([firstSize.promise, setTimeout(SIZE_WAIT_MS, undefined)])
      : undefined;
    const session = await startExec(exec, { ...request, size });
    kill = () => void session.kill();
    if (isClosed) kill();
    resize = (columns, rows) => void session.resize(columns, rows);
    if (session.stdin !== undefined) stdin.pipe(session.stdin);
    const output = Promise.all([
      channels.pipe("stdout", session.stdout),
      session.stderr === undefined ? undefined : channels.pipe("stderr", session.stderr),
    ]);
    const exitCode = await session.exitCode;
    await Promise.race([output, setTimeout(OUTPUT_GRACE_MS)]);
    output.catch(() => undefined);
    channels.finish(exitStatus(exitCode));
  } catch (error) {
    channels.finish(failureStatus((error as Error).message));
  }
}

/** Shows what the container writes from now on, until it ends; stdin if the container has one. */
export async function serveAttach(
  server: ServerContext,
  target: ContainerTarget,
  request: StreamRequest,
  socket: WebSocket,
): Promise<void> {
  const { containers } = server.context.runtime;
  const { id, logPath, tty } = target.status;
  const dir = containers.containerDir(id);
  const closed = new AbortController();
  const stdin = request.stdin ? openStdin(dir, server.context.log) : undefined;
  const channels = new Channels(socket, {
    stdin: stdin?.stream,
    resize: (columns, rows) => {
      if (tty) void resizeContainer(dir, columns, rows);
    },
    closed: () => {
      closed.abort();
      stdin?.detach();
    },
  });
  const follow = (stream: "stdout" | "stderr"): Promise<void> =>
    channels.pipe(
      stream,
      readLog(logPath, {
        follow: true,
        timestamps: false,
        tailLines: 0,
        stream,
        signal: closed.signal,
        isRunning: () => containers.get(id)?.state === "running",
      }),
    );
  try {
    await Promise.all([
      request.stdout ? follow("stdout") : undefined,
      request.stderr && !tty ? follow("stderr") : undefined,
    ]);
    channels.finish(exitStatus(0));
  } catch (error) {
    channels.finish(failureStatus((error as Error).message));
  }
}
