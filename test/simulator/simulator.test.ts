/**
 * The route simulator decides as the real Envoy does, on random calls in random worlds.
 * `SIMULATED_PAIRS=10000` asks for more pairs of a world and a call than the usual run has,
 * `SIMULATED_SEED` for other ones.
 */

import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { simulate } from "#pilot/explain/simulate.ts";
import { type Proxy, parseProxy } from "#pilot/model/proxy.ts";
import { findEnvoy } from "#test/golden/envoy-validate.ts";
import { contextOf, resourcesFor, translateFor, wholeIr } from "#test/golden/world.ts";
import { type Decision, decisionsOf } from "./decision.ts";
import { EnvoyJudge } from "./envoy-judge.ts";
import { randomCall } from "./random-calls.ts";
import { type Draw, drawFrom } from "./random-parts.ts";
import { randomRules } from "./random-rules.ts";

const PAIRS = Number(process.env.SIMULATED_PAIRS ?? 300);
const FIRST_SEED = Number(process.env.SIMULATED_SEED ?? 1);
const CALLS_PER_WORLD = 100;
const AT_ONCE = 20;
const worlds = Math.ceil(PAIRS / CALLS_PER_WORLD);
const seeds = Array.from({ length: worlds }, (_, index) => FIRST_SEED + index);

const envoy = findEnvoy();

(envoy === undefined ? describe.skip : describe)("the simulator and Envoy", () => {
  let judge: EnvoyJudge;

  beforeAll(async () => {
    judge = await EnvoyJudge.start(envoy ?? "");
  });

  afterAll(() => judge.stop());

  test.each(seeds)(
    "decide the same in world %i",
    async (seed) => {
      expect(await disagreements(judge, seed)).toEqual([]);
    },
    60_000,
  );
});

/** Calls with what both say, where Envoy does what the simulator doesn't expect. */
async function disagreements(judge: EnvoyJudge, seed: number): Promise<string[]> {
  const draw = drawFrom(seed);
  const from = draw.one(["client", "gateway"] as const);
  const context = contextOf(randomRules(draw));
  const proxy = proxyOf(from);
  const view = wholeIr(translateFor(context, proxy));
  await judge.serve(resourcesFor(context, proxy).resources);
  const known = new Set<string>(view.clusters.map((one) => one.name));
  const found: string[] = [];
  const check = async (calls: Draw): Promise<void> => {
    const call = randomCall(calls, from);
    const expected = decisionsOf(simulate(view, call), known);
    const decided = await judge.decide(call);
    if (expected.some((one) => same(one, decided))) return;
    found.push([call, expected, decided].map((one) => JSON.stringify(one)).join("\n"));
  };
  for (let asked = 0; asked < CALLS_PER_WORLD; asked += AT_ONCE) {
    await Promise.all(Array.from({ length: AT_ONCE }, () => check(draw)));
  }
  return [...judge.refused, ...found];
}

function same(left: Decision, right: Decision): boolean {
  const text = (one: Decision): string =>
    JSON.stringify(Object.entries(one).toSorted(([a], [b]) => (a < b ? -1 : 1)));
  return text(left) === text(right);
}

function proxyOf(from: "client" | "gateway"): Proxy {
  const [id, labels] =
    from === "client"
      ? ["sidecar~192.0.2.10~client.default~default.svc.cluster.local", { app: "client" }]
      : ["router~192.0.2.200~web.default~default.svc.cluster.local", { istio: "web" }];
  const parsed = parseProxy({ id, metadata: { NAMESPACE: "default", LABELS: labels } });
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  return parsed.proxy;
}
