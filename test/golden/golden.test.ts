/**
 * Every world in `testdata` gives what its files say, and its calls end where `calls.yaml` says.
 */

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { load } from "js-yaml";
import { type Call, simulate } from "#pilot/explain/simulate.ts";
import { findEnvoy, validate } from "./envoy-validate.ts";
import { caseFolders, compareGolden } from "./golden-files.ts";
import { WorldFeed, contextOf, readWorld, resourcesFor, translateFor, wholeIr } from "./world.ts";

const TESTDATA = join(import.meta.dirname, "testdata");
const INPUTS = ["in.yaml", "calls.yaml"];
const envoy = findEnvoy();

interface CallCase {
  readonly name: string;
  readonly call: Call;
  /** Fields of the outcome; `clusters` as shares of 1, rounded to thousandths. */
  readonly want: Record<string, unknown>;
}

describe.each(caseFolders(TESTDATA))("world %s", (name) => {
  const folder = join(TESTDATA, name);
  const world = readWorld(join(folder, "in.yaml"));
  const feed = new WorldFeed();
  const context = contextOf(world.objects, feed);
  const translated = translateFor(context, world.proxy);
  const { resources, problems } = resourcesFor(context, world.proxy);
  const messages = (type: string): object[] =>
    resources.filter((one) => one.type === type).map((one) => one.message);

  test("says in its first line what it is for", () => {
    expect(readFileSync(join(folder, "in.yaml"), "utf8")).toMatch(/^# \S/);
  });

  test("gives what its files say", () => {
    const { secrets, ...rest } = wholeIr(translated);
    const ir = secrets.length === 0 ? rest : { ...rest, secrets };
    const outputs = {
      ir: { ...ir, refused: [...feed.problems(), ...problems] },
      clusters: messages("cluster"),
      endpoints: messages("endpoint"),
      listeners: messages("listener"),
      routes: messages("route"),
      extensions: messages("extension"),
    };
    expect(compareGolden(folder, INPUTS, outputs)).toEqual([]);
  });

  test("sends calls where calls.yaml says", () => {
    const file = join(folder, "calls.yaml");
    const calls = existsSync(file) ? (load(readFileSync(file, "utf8")) as CallCase[]) : [];
    const view = wholeIr(translated);
    const got = calls.map((one) => ({
      name: one.name,
      ...pick(simulate(view, one.call), Object.keys(one.want)),
    }));
    expect(got).toEqual(calls.map((one) => ({ name: one.name, ...one.want })));
  });

  (envoy === undefined ? test.skip : test)("is accepted by the real Envoy", async () => {
    expect(await validate(envoy ?? "", resources)).toBeUndefined();
  });
});

/**
 * The asked fields of an outcome, null where absent; those of the route's action by their own
 * names.
 */
function pick(
  outcome: ReturnType<typeof simulate>,
  fields: readonly string[],
): Record<string, unknown> {
  const { route, ...rest } = outcome;
  const all = new Map<string, unknown>([
    ...Object.entries(route?.action ?? {}),
    ...Object.entries(route ?? {}),
    ...Object.entries(rest),
    ["clusters", rounded(outcome.clusters)],
  ]);
  return Object.fromEntries(fields.map((field) => [field, all.get(field) ?? null]));
}

function rounded(shares: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(
    Object.entries(shares).map(([name, share]) => [name, Math.round(share * 1000) / 1000]),
  );
}
