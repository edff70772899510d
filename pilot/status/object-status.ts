/** Figures and problems of an object → its `status`, in the shape of Istio's IstioStatus. */

import type { Figure } from "./convergence.ts";
import type { ReportedProblem } from "./problem-reporter.ts";

export interface Condition {
  type: string;
  status: "True" | "False" | "Unknown";
  reason: string;
  message: string;
  observedGeneration: number;
  lastTransitionTime: string;
}

/** Istio's AnalysisMessageBase; path and message are ours, an unknown field to others. */
export interface ValidationMessage {
  level: "ERROR" | "WARNING";
  type: { code: string; name: string };
  path: string;
  message: string;
}

export interface ObjectStatus {
  observedGeneration: number;
  conditions: Condition[];
  validationMessages: ValidationMessage[];
}

/** A problem with its weight; what nobody has weighed is an error. */
export interface WeighedProblem extends ReportedProblem {
  readonly severity?: "error" | "warning";
}

export interface StatusInput {
  generation: number;
  figure: Figure;
  /** Each once, in a stable order. */
  problems: readonly WeighedProblem[];
  /** RFC 3339. */
  now: string;
  /** Conditions that the object has: others' stay, ours keep their time unless they turn. */
  previous: readonly Readonly<Record<string, unknown>>[];
}

/** Reasons of problems that leave nothing of an object in force. */
const WITHOUT_EFFECT = new Set(["Malformed", "NotSupportedYet"]);
/** Of an object that no connected proxy is told anything of. */
export const NO_PROXY = "NoProxyConcerned";
const REFUSED = "RefusedByProxy";
const OURS = ["Applied", "Complete", "Reconciled"];
const MAX_MESSAGES = 20;
const MAX_TEXT = 1000;

/**
 * `Applied`: this generation is live on every proxy that it concerns. `Complete`: nothing of it was
 * ignored. `Reconciled`: Istio's name for the figures alone.
 */
export function statusOf(input: StatusInput): ObjectStatus {
  const { generation, now, previous, problems } = input;
  const conditions = [applied(input), complete(problems), reconciled(input.figure)].map((one) => {
    const before = previous.find(({ type }) => type === one.type);
    const since = before?.["status"] === one.status ? before["lastTransitionTime"] : undefined;
    return {
      ...one,
      observedGeneration: generation,
      lastTransitionTime: typeof since === "string" ? since : now,
    };
  });
  const others = previous.filter(({ type }) => !OURS.includes(String(type)));
  return {
    observedGeneration: generation,
    conditions: [...(others as unknown as Condition[]), ...conditions],
    validationMessages: problems.slice(0, MAX_MESSAGES).map(messageOf),
  };
}

/** Whether two statuses say the same, apart from times, durations and how many proxies there are. */
export function saysTheSame(left: ObjectStatus, right: unknown): boolean {
  return gist(left) === gist(right as ObjectStatus | undefined);
}

function gist(status: Partial<ObjectStatus> | undefined): string {
  const conditions = Array.isArray(status?.conditions) ? status.conditions : [];
  return JSON.stringify([
    status?.observedGeneration,
    conditions
      .filter(({ type }) => OURS.includes(type))
      .map(({ type, status: value, reason, message, observedGeneration }) => [
        type,
        value,
        reason,
        observedGeneration,
        value === "True" ? "" : message,
      ]),
    status?.validationMessages ?? [],
  ]);
}

type Verdict = Pick<Condition, "type" | "status" | "reason" | "message">;

function applied({ figure, problems }: StatusInput): Verdict {
  const type = "Applied";
  const without = problems.find(({ reason }) => WITHOUT_EFFECT.has(reason));
  if (without !== undefined) {
    return { type, status: "False", reason: without.reason, message: textOf(without) };
  }
  const refused = problems.find(({ reason }) => reason === REFUSED);
  if (refused !== undefined) {
    return { type, status: "False", reason: REFUSED, message: textOf(refused) };
  }
  const { live, proxies, afterMs } = figure;
  if (proxies === 0) {
    const message = "no connected proxy is concerned";
    return { type, status: "True", reason: NO_PROXY, message };
  }
  if (live < proxies) {
    const message = `live on ${live}/${proxies} proxies, waiting for the others`;
    return { type, status: "Unknown", reason: "Waiting", message };
  }
  const after = afterMs === undefined ? "" : ` after ${Math.ceil(afterMs)} ms`;
  const message = `live on ${live}/${proxies} proxies${after}`;
  return { type, status: "True", reason: "Live", message };
}

function complete(problems: readonly WeighedProblem[]): Verdict {
  const type = "Complete";
  const ignored = problems.filter(hasNoEffect);
  const [first] = ignored;
  if (first === undefined) {
    return {
      type,
      status: "True",
      reason: "NothingIgnored",
      message: "every field has its effect",
    };
  }
  const more = ignored.length === 1 ? "" : ` (and ${ignored.length - 1} more)`;
  return { type, status: "False", reason: first.reason, message: `${textOf(first)}${more}` };
}

/** Warnings that tell of something without an effect; other warnings are of effects not meant. */
const VAIN =
  /^(Unknown|Shadowed|HostTaken|Conflict|NoEffect|NotApplicable|Unsupported|NoDestination)/;

function hasNoEffect({ severity, reason }: WeighedProblem): boolean {
  if (reason === REFUSED) return false;
  return severity !== "warning" || VAIN.test(reason);
}

function reconciled({ live, proxies }: Figure): Verdict {
  const isDone = live === proxies;
  return {
    type: "Reconciled",
    status: isDone ? "True" : "False",
    reason: isDone ? "UpToDate" : "Waiting",
    message: `${live}/${proxies} proxies up to date.`,
  };
}

function messageOf(problem: WeighedProblem): ValidationMessage {
  const { path, reason, message, severity = "error" } = problem;
  return {
    level: severity === "error" ? "ERROR" : "WARNING",
    type: { code: `LATEEN_${reason}`, name: reason },
    path,
    message: message.slice(0, MAX_TEXT),
  };
}

function textOf({ path, message }: WeighedProblem): string {
  return (path === "" ? message : `${path}: ${message}`).slice(0, MAX_TEXT);
}
