/** Writes to the stdin of a container's first process, and tells its terminal's size. */

import { spawn } from "node:child_process";
import { join } from "node:path";
import type { Writable } from "node:stream";
import { tellConmon } from "./log-rotation.ts";

/**
 * conmon takes input on a SOCK_SEQPACKET socket, which Node can't open; perl-base is part of every
 * Debian. The socket is reached by a relative name, since its path may be too long for an address.
 */
const WRITER = `
use Socket;
socket(my $s, AF_UNIX, SOCK_SEQPACKET, 0) or die "socket: $!";
connect($s, sockaddr_un("attach")) or die "connect: $!";
while ((my $n = sysread(STDIN, my $data, 8192)) > 0) {
  for (my $done = 0; $done < $n; $done += 1024) {
    defined(syswrite($s, substr($data, $done, 1024))) or die "write: $!";
  }
}
shutdown($s, 1);
`;

export interface AttachedStdin {
  /** Ending it ends the stdin of a stdinOnce container. */
  stream: Writable;
  /** Leaves the container's stdin as it is. */
  detach(): void;
}

/** A stream into the container's stdin; `detach` it when the client has gone. */
export function openStdin(
  containerDir: string,
  onProblem: (message: string) => void,
): AttachedStdin {
  const child = spawn("perl", ["-e", WRITER], {
    cwd: join(containerDir, "bundle"),
    stdio: ["pipe", "ignore", "pipe"],
  });
  let said = "";
  child.stderr.on("data", (chunk: Buffer) => {
    if (said.length < 1000) said += chunk.toString("utf8");
  });
  child.on("error", (error) => onProblem(`perl can't be started: ${error.message}`));
  child.on("exit", (code) => {
    if (code !== 0 && code !== null) onProblem(`stdin of the container: ${said.trim()}`);
  });
  // The container may end before its input does.
  child.stdin.on("error", () => undefined);
  return { stream: child.stdin, detach: () => void child.kill("SIGKILL") };
}

/** Sets the size of the terminal of a container that has one. */
export async function resizeContainer(
  containerDir: string,
  columns: number,
  rows: number,
): Promise<void> {
  const size = [rows, columns].map((n) => Math.min(Math.max(1, Math.trunc(n)), 65_535));
  await tellConmon(join(containerDir, "bundle", "ctl"), `1 ${size.join(" ")}\n`);
}
