import { describe, expect, test } from "@jest/globals";
import { type ParentVerdict, RouteStatuses } from "./route-statuses.ts";

const KEY = "HTTPRoute/default/a";
const PARENT = { group: "", kind: "Service", name: "web" };
const OURS = "example.org/ours";

function statuses(verdicts: { current: ParentVerdict[] | undefined }) {
  const written: unknown[] = [];
  let time = Date.UTC(2026, 0, 1);
  const routes = new RouteStatuses({
    controllerName: OURS,
    parentsOf: (key) => (key === KEY ? verdicts.current : undefined),
    write: (_object, status) => written.push(status),
    now: () => (time += 1000),
  });
  const observe = (generation: number, status?: unknown): void =>
    routes.observe({ key: KEY, apiVersion: "gateway.networking.k8s.io/v1", generation, status });
  return { routes, written, observe };
}

describe("the status of a route", () => {
  test("has two conditions for each parent, and is written once", () => {
    const verdicts = { current: [{ parentRef: PARENT }] as ParentVerdict[] };
    const { routes, written, observe } = statuses(verdicts);
    observe(2);
    routes.consider(KEY);
    const since = { lastTransitionTime: "2026-01-01T00:00:01Z", observedGeneration: 2 };
    const accepted = { type: "Accepted", status: "True", reason: "Accepted", ...since };
    const resolved = { type: "ResolvedRefs", status: "True", reason: "ResolvedRefs", ...since };
    expect(written).toEqual([
      {
        parents: [
          {
            parentRef: PARENT,
            controllerName: OURS,
            conditions: [
              { ...accepted, message: "Route was valid" },
              { ...resolved, message: "All references resolved" },
            ],
          },
        ],
      },
    ]);
    observe(2, written[0]);
    routes.consider(KEY);
    expect(written).toHaveLength(1);
  });

  test("keeps the time of what doesn't turn, and what others say", () => {
    const verdicts = { current: [{ parentRef: PARENT }] as ParentVerdict[] };
    const { routes, written, observe } = statuses(verdicts);
    observe(1);
    routes.consider(KEY);
    const [own] = (written[0] as { parents: object[] }).parents;
    const other = { parentRef: PARENT, controllerName: "example.org/other", conditions: [] };
    observe(2, { parents: [own, other] });
    verdicts.current = [
      { parentRef: PARENT, unresolved: { reason: "BackendNotFound", message: "none" } },
    ];
    routes.consider(KEY);
    const said = written[1] as {
      parents: { conditions: { status: string; lastTransitionTime: string }[] }[];
    };
    expect(said.parents[0]).toEqual(other);
    expect(said.parents[1]?.conditions.map((one) => [one.status, one.lastTransitionTime])).toEqual([
      ["True", "2026-01-01T00:00:01Z"],
      ["False", "2026-01-01T00:00:02Z"],
    ]);
  });

  test("is nobody's once the route is gone", () => {
    const { routes, written, observe } = statuses({ current: [{ parentRef: PARENT }] });
    observe(1);
    routes.gone(KEY);
    routes.reconsider();
    expect(written).toEqual([]);
  });
});
