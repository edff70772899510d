/** What becomes of HTTPRoutes, said in their own way: a condition for each parent. */

import { isDeepStrictEqual } from "node:util";
import type { ObservedObject } from "./status-board.ts";

/** Of one parent; a part that is absent is as it should be. */
export interface ParentVerdict {
  readonly parentRef: object;
  readonly denied?: { readonly reason: string; readonly message: string };
  readonly unresolved?: { readonly reason: string; readonly message: string };
}

export interface RouteStatusesOptions {
  /** In whose name it is said; what others say of a route stays. */
  readonly controllerName: string;
  /** Undefined where there is no such route (any more). */
  readonly parentsOf: (key: string) => readonly ParentVerdict[] | undefined;
  readonly write: (object: ObservedObject, status: object) => void;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

interface Condition {
  readonly type: string;
  readonly status: string;
  readonly reason: string;
  readonly message: string;
  readonly observedGeneration: number;
  readonly lastTransitionTime: string;
}

interface ParentStatus {
  readonly parentRef: object;
  readonly controllerName: string;
  readonly conditions: readonly Condition[];
}

/** Says what there is to say at once; nothing is written that a route's status says already. */
export class RouteStatuses {
  readonly #options: RouteStatusesOptions;
  readonly #routes = new Map<string, ObservedObject>();

  constructor(options: RouteStatusesOptions) {
    this.#options = options;
  }

  observe(object: ObservedObject): void {
    this.#routes.set(object.key, object);
  }

  gone(key: string): void {
    this.#routes.delete(key);
  }

  /** There may be something else to say of this route than before. */
  consider(key: string): void {
    const object = this.#routes.get(key);
    const verdicts = object && this.#options.parentsOf(key);
    if (object === undefined || verdicts === undefined) return;
    const status = this.#statusOf(object, verdicts);
    if (status !== undefined) this.#options.write(object, status);
  }

  /** It is up to us now to say it. */
  reconsider(): void {
    for (const key of this.#routes.keys()) this.consider(key);
  }

  /** Undefined where the object says it already. */
  #statusOf(object: ObservedObject, verdicts: readonly ParentVerdict[]): object | undefined {
    const { controllerName, now } = this.#options;
    const present = parentsIn(object.status);
    const time = new Date(now()).toISOString().replace(/\.\d+Z$/, "Z");
    const own = verdicts.map((verdict): ParentStatus => {
      const before = present.find(
        (one) =>
          one.controllerName === controllerName &&
          isDeepStrictEqual(one.parentRef, verdict.parentRef),
      );
      const since = (condition: Omit<Condition, "lastTransitionTime">): Condition => {
        const old = before?.conditions.find(({ type }) => type === condition.type);
        const same = old?.status === condition.status;
        return { ...condition, lastTransitionTime: same ? old.lastTransitionTime : time };
      };
      return {
        parentRef: verdict.parentRef,
        controllerName,
        conditions: conditionsOf(verdict, object.generation).map(since),
      };
    });
    const parents = [...present.filter((one) => one.controllerName !== controllerName), ...own];
    return isDeepStrictEqual(parents, present) ? undefined : { parents };
  }
}

/** Gateway API, RouteConditionType; what is wrong with backends is a matter of ResolvedRefs. */
function conditionsOf(
  { denied, unresolved }: ParentVerdict,
  observedGeneration: number,
): Omit<Condition, "lastTransitionTime">[] {
  return [
    {
      type: "Accepted",
      status: denied === undefined ? "True" : "False",
      reason: denied?.reason ?? "Accepted",
      message: denied?.message ?? "Route was valid",
      observedGeneration,
    },
    {
      type: "ResolvedRefs",
      status: unresolved === undefined ? "True" : "False",
      reason: unresolved?.reason ?? "ResolvedRefs",
      message: unresolved?.message ?? "All references resolved",
      observedGeneration,
    },
  ];
}

/** As it was read: whoever may write statuses wrote it. */
function parentsIn(status: unknown): readonly ParentStatus[] {
  const { parents } = (status ?? {}) as { parents?: unknown };
  if (!Array.isArray(parents)) return [];
  return parents.filter(
    (one): one is ParentStatus =>
      typeof one === "object" &&
      one !== null &&
      Array.isArray((one as Partial<ParentStatus>).conditions),
  );
}
