/** Validation of probes and lifecycle hooks. */

import type {
  HTTPGetAction,
  LifecycleHandler,
  Probe,
  ProbeHandler,
} from "#cluster/api/generated/core-v1.ts";
import { check } from "#cluster/apiserver/kinds/meta.ts";
import { headerName, portName } from "#cluster/apiserver/kinds/names.ts";
import * as problem from "#cluster/apiserver/schema/problem.ts";
import type { FieldProblem } from "#cluster/apiserver/schema/schema.ts";

/** `successOnce`: one success must do, as liveness and startup have it. */
export function validateProbe(
  probe: Probe | undefined,
  path: string,
  { successOnce }: { successOnce: boolean },
): FieldProblem[] {
  if (probe === undefined) return [];
  const problems = validateHandler(probe, path);
  if (successOnce && (probe.successThreshold ?? 1) !== 1) {
    const field = `${path}.successThreshold`;
    problems.push(problem.invalid(field, probe.successThreshold, "must be 1"));
  }
  const grace = probe.terminationGracePeriodSeconds;
  if (grace !== undefined && grace < 1) {
    const field = `${path}.terminationGracePeriodSeconds`;
    problems.push(problem.invalid(field, grace, "must be greater than 0"));
  }
  return problems;
}

/** Exactly one of the handlers, and that one well formed. */
export function validateHandler(
  handler: ProbeHandler & Pick<LifecycleHandler, "sleep">,
  path: string,
): FieldProblem[] {
  const { exec, httpGet, tcpSocket, grpc, sleep } = handler;
  const kinds = Object.entries({ exec, httpGet, tcpSocket, grpc, sleep }).filter(
    ([, action]) => action !== undefined,
  );
  if (kinds.length === 0) return [problem.required(path, "must specify a handler type")];
  const problems = kinds
    .slice(1)
    .map(([kind]) =>
      problem.forbidden(`${path}.${kind}`, "may not specify more than 1 handler type"),
    );
  if (exec !== undefined && (exec.command ?? []).length === 0) {
    problems.push(problem.required(`${path}.exec.command`));
  }
  if (httpGet !== undefined) problems.push(...validateHttpGet(httpGet, `${path}.httpGet`));
  if (tcpSocket !== undefined) problems.push(...validatePort(tcpSocket.port, `${path}.tcpSocket`));
  if (grpc !== undefined) problems.push(...validatePort(grpc.port, `${path}.grpc`));
  return problems;
}

function validateHttpGet({ port, httpHeaders = [] }: HTTPGetAction, path: string): FieldProblem[] {
  return [
    ...validatePort(port, path),
    ...httpHeaders.flatMap(({ name }, index) =>
      check(`${path}.httpHeaders[${index}].name`, name, headerName(name)),
    ),
  ];
}

/** A number, or the name of a container's port. */
function validatePort(port: number | string, path: string): FieldProblem[] {
  const field = `${path}.port`;
  if (typeof port === "string") return check(field, port, portName(port));
  if (port >= 1 && port <= 65535) return [];
  return [problem.invalid(field, port, "must be between 1 and 65535, inclusive")];
}
