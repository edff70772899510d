/** Runs one probe or hook action against a container. */

import type { Container, Probe } from "#cluster/api/generated/core-v1.ts";
import { type ExecTarget, execToEnd } from "#cluster/runtime/exec.ts";
import { checkGrpc } from "./grpc-check.ts";
import { type CheckResult, checkHttp, checkTcp, resolvePort } from "./http-check.ts";

export interface CheckTarget {
  container: Container;
  podIp: string;
  exec: ExecTarget;
}

/** Never rejects: what can't be run has failed, with the reason as its output. */
export async function runCheck(
  probe: Probe,
  target: CheckTarget,
  timeoutMs: number,
): Promise<CheckResult> {
  const { container, podIp } = target;
  if (probe.exec !== undefined) {
    return checkExec(probe.exec.command ?? [], target.exec, timeoutMs);
  }
  if (probe.httpGet !== undefined) return checkHttp(probe.httpGet, container, { podIp, timeoutMs });
  if (probe.tcpSocket !== undefined) {
    const port = resolvePort(container, probe.tcpSocket.port);
    if (port === undefined) return { ok: false, output: `port ${probe.tcpSocket.port} unknown` };
    return checkTcp(probe.tcpSocket.host || podIp, port, timeoutMs);
  }
  if (probe.grpc !== undefined) {
    return checkGrpc(podIp, probe.grpc.port, probe.grpc.service ?? "", timeoutMs);
  }
  return { ok: false, output: "missing probe handler" };
}

/** Success is exit code 0. */
export async function checkExec(
  command: readonly string[],
  target: ExecTarget,
  timeoutMs: number,
): Promise<CheckResult> {
  try {
    const { exitCode, output, timedOut } = await execToEnd(target, command, timeoutMs);
    if (timedOut) {
      const seconds = timeoutMs / 1000;
      return { ok: false, output: `command timed out: "${command.join(" ")}" after ${seconds}s` };
    }
    return { ok: exitCode === 0, output };
  } catch (error) {
    return { ok: false, output: (error as Error).message };
  }
}
