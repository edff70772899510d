/** postStart and preStop. */

import type { Container, LifecycleHandler } from "#cluster/api/generated/core-v1.ts";
import type { ExecTarget } from "#cluster/runtime/exec.ts";
import { delay } from "#cluster/client/clock.ts";
import { checkExec } from "./probes/check.ts";
import { type CheckResult, checkHttp, checkTcp, resolvePort } from "./probes/http-check.ts";

/** Runs a hook to its end or until the time is over; a failure has a message for the event. */
export async function runHook(
  handler: LifecycleHandler,
  target: { container: Container; podIp: string; exec: ExecTarget },
  timeoutMs: number,
): Promise<CheckResult> {
  const { container, podIp } = target;
  if (handler.exec !== undefined) {
    const command = handler.exec.command ?? [];
    const result = await checkExec(command, target.exec, timeoutMs);
    if (result.ok) return result;
    const output = `Exec lifecycle hook (${JSON.stringify(command)}) failed: ${result.output}`;
    return { ok: false, output };
  }
  if (handler.httpGet !== undefined) {
    return checkHttp(handler.httpGet, container, {
      podIp,
      timeoutMs,
      userAgent: "kube-lifecycle/1.36",
    });
  }
  if (handler.tcpSocket !== undefined) {
    const port = resolvePort(container, handler.tcpSocket.port);
    if (port === undefined) return { ok: false, output: "unknown port" };
    return checkTcp(handler.tcpSocket.host || podIp, port, timeoutMs);
  }
  if (handler.sleep !== undefined) {
    const sleepMs = Math.min(handler.sleep.seconds * 1000, timeoutMs);
    await delay(sleepMs, new AbortController().signal);
    return { ok: true, output: "" };
  }
  return { ok: false, output: "invalid handler: the hook has no action" };
}
