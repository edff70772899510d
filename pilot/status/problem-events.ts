/** Problems as Events of their objects, where `kubectl describe` and `kubectl get events` show them. */

import type { AnyObject } from "#cluster/api/meta.ts";
import type { Resource } from "#cluster/api/resources.ts";
import { hasReason } from "#cluster/api/status-error.ts";
import type { KubeClient } from "#cluster/client/client.ts";
import { EventRecorder, referenceTo } from "#cluster/client/events.ts";
import type { ReportedProblem } from "./problem-reporter.ts";

export interface ProblemEventsOptions {
  client: KubeClient;
  /** Kinds whose problems become Events; others have no place for them. */
  resources: readonly Resource<AnyObject>[];
  log: (line: string) => void;
  signal: AbortSignal;
}

/** Never rejects, and resolves when it is written; an object that has gone meanwhile needs no Event. */
export function problemEvents(
  options: ProblemEventsOptions,
): (problem: ReportedProblem) => Promise<void> {
  const { client, log, signal } = options;
  const recorder = new EventRecorder({ client, component: "pilot", log, signal });
  const byKind = new Map(options.resources.map((resource) => [resource.kind, resource]));
  const record = async (problem: ReportedProblem): Promise<void> => {
    const [kind = "", namespace, name = ""] = problem.object.split("/");
    const resource = byKind.get(kind);
    if (resource === undefined) return;
    // `kubectl describe` asks for Events by the object's uid.
    const object = await client.get(resource, { namespace, name });
    const { path, reason, message } = problem;
    recorder.record({
      involved: referenceTo(resource, object),
      type: "Warning",
      reason,
      message: path === "" ? message : `${path}: ${message}`,
    });
    await recorder.flush();
  };
  return (problem) =>
    record(problem).catch((error: unknown) => {
      if (hasReason(error, "NotFound") || signal.aborted) return;
      log(`no Event for ${problem.object}: ${error instanceof Error ? error.message : ""}`);
    });
}
