import { describe, expect, test } from "@jest/globals";
import type { Protocol } from "#pilot/cache/shared-frames.ts";
import {
  CLUSTER,
  ENDPOINTS,
  EXTENSION_CONFIG,
  LISTENER,
  ROUTES,
  SECRET,
  VIRTUAL_HOST,
} from "#pilot/cache/type-url.ts";
import { StreamHarness, resource } from "./testing/stream-harness.ts";
import type { RawResponse } from "./testing/stream-harness.ts";

const cds = (name: string, content = "") => resource(CLUSTER, name, content);
const eds = (name: string, content = "") => resource(ENDPOINTS, name, content);
const lds = (name: string, content = "") => resource(LISTENER, name, content);
const rds = (name: string, content = "") => resource(ROUTES, name, content);

/** A client that has two clusters, their endpoints, a listener and its routes, all acknowledged. */
function configured(protocol: Protocol): StreamHarness {
  const harness = new StreamHarness(protocol);
  for (const one of [cds("a"), cds("b"), eds("a"), eds("b"), lds("l"), rds("r")]) {
    harness.table(one.type).apply([one]);
  }
  const again = protocol === "sotw";
  harness.ask({ type: CLUSTER });
  harness.ack();
  harness.ask({ type: ENDPOINTS, names: ["a", "b"], node: null });
  harness.ack(again ? ["a", "b"] : []);
  harness.ask({ type: LISTENER, node: null });
  harness.ack();
  harness.ask({ type: ROUTES, names: ["r"], node: null });
  harness.ack(again ? ["r"] : []);
  expect(harness.answers).toEqual([]);
  return harness;
}

const summary = (harness: StreamHarness) =>
  harness.answers.map(({ type, names, removed }) => ({ type, names, removed }));

describe.each<Protocol>(["delta", "sotw"])("a %s stream", (protocol) => {
  const all = (names: string[]) => (protocol === "sotw" ? names : []);

  test("answers a wildcard with everything and names with what exists", () => {
    const harness = new StreamHarness(protocol);
    harness.table(CLUSTER).apply([cds("a"), cds("b")]);
    harness.table(ENDPOINTS).apply([eds("a"), eds("b"), eds("c")]);
    harness.ask({ type: CLUSTER });
    expect(harness.ack().names).toEqual(["a", "b"]);
    harness.ask({ type: ENDPOINTS, names: ["a", "c"] });
    expect(harness.ack(all(["a", "c"])).names).toEqual(["a", "c"]);
    expect(harness.answers).toEqual([]);
  });

  test.each([SECRET, EXTENSION_CONFIG])("serves %s by name, whatever clusters wait for", (type) => {
    const harness = new StreamHarness(protocol);
    harness.table(CLUSTER).apply([cds("a")]);
    harness.table(type).apply([resource(type, "x"), resource(type, "y")]);
    harness.ask({ type: CLUSTER });
    harness.ack();
    harness.ask({ type, names: ["x"] });
    expect(harness.ack(all(["x"])).names).toEqual(["x"]);
    harness.change({ put: [resource(type, "x", "2"), resource(type, "y", "2")] });
    expect(harness.ack(all(["x"])).names).toEqual(["x"]);
    expect(harness.answers).toEqual([]);
  });

  test("answers the first request even if there is nothing", () => {
    const harness = new StreamHarness(protocol);
    harness.ask({ type: LISTENER });
    expect(summary(harness)).toEqual([{ type: LISTENER, names: [], removed: [] }]);
    harness.ack();
    expect(harness.answers).toEqual([]);
  });

  test("sends a change once, and equal content not at all", () => {
    const harness = configured(protocol);
    harness.change({ put: [eds("a", "2")] });
    expect(harness.ack(all(["a", "b"])).names).toEqual(["a"]);
    harness.change({ put: [eds("a", "2")] });
    expect(harness.answers).toEqual([]);
  });

  test("keeps one response outstanding and then sends the latest state", () => {
    const harness = configured(protocol);
    harness.change({ put: [eds("a", "2")] });
    harness.change({ put: [eds("a", "3")] });
    harness.change({ put: [eds("a", "4"), eds("b", "4")] });
    expect(harness.answers).toHaveLength(1);
    expect(harness.ack(all(["a", "b"])).names).toEqual(["a"]);
    expect(harness.ack(all(["a", "b"])).names).toEqual(["a", "b"]);
    expect(harness.answers).toEqual([]);
  });

  test("ignores an answer with an unknown nonce", () => {
    const harness = configured(protocol);
    harness.change({ put: [eds("a", "2")] });
    harness.change({ put: [eds("b", "2")] });
    harness.ask({ type: ENDPOINTS, nonce: "no", names: all(["a", "b"]), node: null });
    expect(harness.answers).toHaveLength(1);
  });

  test("records a rejection and sends the next content nonetheless", () => {
    const harness = configured(protocol);
    harness.change({ put: [rds("r", "bad")] });
    const [bad] = harness.answers.splice(0);
    harness.ask({ type: ROUTES, nonce: bad!.nonce, names: all(["r"]), error: "wrong", node: null });
    expect(harness.answers).toEqual([]);
    expect(harness.rejections).toMatchObject([
      { proxyId: "proxy", type: ROUTES, message: "wrong", resources: [{ name: "r" }] },
    ]);
    expect(harness.recovered).toEqual([]);
    harness.change({ put: [rds("r", "good")] });
    expect(harness.ack(all(["r"])).names).toEqual(["r"]);
    expect(harness.recovered).toEqual(harness.rejections);
  });

  test.each<[string, (harness: StreamHarness) => void]>([
    ["the resource goes", (harness) => harness.change({ remove: [[ROUTES, "r"]] })],
    [
      "the client wants it no longer",
      (harness) => harness.ask({ type: ROUTES, names: all(["s"]), unsubscribe: ["r"], node: null }),
    ],
    ["the client goes", (harness) => harness.stream.onEnd()],
  ])("forgets a rejection when %s", (_, happen) => {
    const harness = configured(protocol);
    harness.change({ put: [rds("r", "bad")] });
    const [bad] = harness.answers.splice(0);
    harness.ask({ type: ROUTES, nonce: bad!.nonce, names: all(["r"]), error: "wrong", node: null });
    expect(harness.stream.subscriptions.get(ROUTES)?.state).toBe("error");
    happen(harness);
    expect(harness.recovered).toEqual(harness.rejections);
    expect(harness.recovered).toHaveLength(1);
  });

  test("tells what is acknowledged, with the objects behind it", () => {
    const harness = configured(protocol);
    harness.acknowledged.length = 0;
    harness.nowMs = 100;
    harness.change({ put: [eds("a", "2")] });
    harness.nowMs = 130;
    harness.ack(all(["a", "b"]));
    expect(harness.acknowledged).toMatchObject([
      { type: ENDPOINTS, resources: [{ name: "a", origins: [] }], removed: [], afterMs: 30 },
    ]);
  });

  test("takes * for everything, until it is given up", () => {
    const harness = new StreamHarness(protocol);
    harness.table(CLUSTER).apply([cds("a"), cds("b")]);
    harness.ask({ type: CLUSTER, names: ["*", "b"] });
    expect(harness.ack(all(["*", "b"])).names).toEqual(["a", "b"]);
    const later =
      protocol === "sotw" ? { names: ["b"], nonce: "1" } : { names: [], unsubscribe: ["*"] };
    harness.ask({ type: CLUSTER, node: null, ...later });
    harness.change({ put: [cds("a", "2")] });
    expect(harness.answers).toEqual([]);
    harness.change({ put: [cds("b", "2")] });
    expect(harness.ack(all(["b"])).names).toEqual(["b"]);
  });

  test("wants names only when the first request has some", () => {
    const harness = new StreamHarness(protocol);
    harness.table(CLUSTER).apply([cds("a"), cds("b")]);
    harness.ask({ type: CLUSTER, names: ["a"] });
    expect(harness.ack(all(["a"])).names).toEqual(["a"]);
    harness.ask({ type: CLUSTER, names: [], unsubscribe: ["a"], node: null, nonce: "1" });
    harness.change({ put: [cds("a", "2"), cds("b", "2")] });
    expect(harness.answers).toEqual([]);
  });

  test("ends at more names, and longer ones, than there can be", () => {
    const many = new StreamHarness(protocol);
    many.ask({ type: ROUTES, names: Array.from({ length: 100_001 }, (_, index) => `${index}`) });
    expect(many.ends).toMatchObject([{ code: 8 }]);
    const long = new StreamHarness(protocol);
    long.ask({ type: ROUTES, names: ["x".repeat(5000)] });
    expect(long.ends).toMatchObject([{ code: 3 }]);
  });

  test("answers questions about the server without a node, once each", () => {
    const harness = new StreamHarness(protocol);
    const type = "istio.io/debug" as typeof CLUSTER;
    harness.ask({ type, names: ["syncz"], node: null, nonce: "its own" });
    harness.ask({ type, names: ["syncz"], node: null, nonce: harness.answers[0]!.nonce });
    expect(harness.answers).toMatchObject([{ type }]);
    harness.ask({ type, names: ["no"], node: null });
    expect(harness.ends).toEqual([{ code: 5, message: "no" }]);
  });

  test("sends routes only after the clusters they may name are ready", () => {
    const harness = configured(protocol);
    harness.change({ put: [rds("r", "to-c"), eds("c"), cds("c")] });
    expect(summary(harness).map(({ type }) => type)).toEqual([CLUSTER]);
    harness.ack();
    expect(harness.answers).toEqual([]);
    harness.ask({
      type: ENDPOINTS,
      names: protocol === "sotw" ? ["a", "b", "c"] : ["c"],
      node: null,
    });
    expect(harness.answers.map(({ type }) => type)).toEqual([ENDPOINTS]);
    harness.ack(all(["a", "b", "c"]));
    expect(summary(harness)).toEqual([{ type: ROUTES, names: ["r"], removed: [] }]);
  });

  test("sends the endpoints of a changed cluster again, and routes after them", () => {
    const harness = configured(protocol);
    harness.change({ put: [cds("a", "2"), rds("r", "2")] });
    expect(harness.answers.map(({ type }) => type)).toEqual([CLUSTER, ENDPOINTS]);
    harness.ack();
    expect(harness.ack(all(["a", "b"])).names).toEqual(["a"]);
    expect(harness.answers.map(({ type }) => type)).toEqual([ROUTES]);
  });

  test("removes clusters after routes that may have named them", () => {
    const harness = configured(protocol);
    harness.change({ put: [rds("r", "2")], remove: [[CLUSTER, "b"]] });
    expect(harness.answers.map(({ type }) => type)).toEqual([ROUTES]);
    harness.ack(all(["r"]));
    expect(summary(harness)).toEqual([
      protocol === "sotw"
        ? { type: CLUSTER, names: ["a"], removed: [] }
        : { type: CLUSTER, names: [], removed: ["b"] },
    ]);
  });

  test("stops waiting for a client that never asks for endpoints", () => {
    const harness = configured(protocol);
    harness.change({ put: [cds("c"), rds("r", "2")] });
    harness.ack();
    harness.stream.tick();
    expect(harness.answers).toEqual([]);
    harness.nowMs = 6000;
    harness.stream.tick();
    expect(harness.answers.map(({ type }) => type)).toEqual([ROUTES]);
  });

  test("serves a newly wanted name at once and an unwanted one no longer", () => {
    const harness = configured(protocol);
    harness.table(ROUTES).apply([rds("s")]);
    harness.ask(
      protocol === "sotw"
        ? { type: ROUTES, names: ["s"], node: null, nonce: "4" }
        : { type: ROUTES, names: ["s"], unsubscribe: ["r"], node: null },
    );
    expect(harness.ack(all(["s"])).names).toEqual(["s"]);
    harness.change({ put: [rds("r", "2")] });
    expect(harness.answers).toEqual([]);
  });

  test("follows its proxy into another class", () => {
    const harness = configured(protocol);
    const other = harness.table(ROUTES);
    harness.tables.set(ROUTES, [
      new (other.constructor as new (type: string) => typeof other)(ROUTES),
    ]);
    harness.table(ROUTES).apply([rds("r", "other class")]);
    harness.change();
    expect(harness.ack(all(["r"])).names).toEqual(["r"]);
    expect(other.readers.size).toBe(0);
  });

  test("ends when the first request doesn't say who asks, or a wrong one does", () => {
    const anonymous = new StreamHarness(protocol);
    anonymous.ask({ type: CLUSTER, node: null });
    expect(anonymous.ends).toMatchObject([{ code: 3 }]);
    const wrong = new StreamHarness(protocol);
    wrong.ask({ type: CLUSTER, node: { id: "bad" } });
    expect(wrong.ends).toEqual([{ code: 3, message: "id: no" }]);
  });

  test("ends at bytes that are no request", () => {
    const harness = new StreamHarness(protocol);
    harness.stream.onMessage(Buffer.from([0x0a, 0xff]));
    expect(harness.ends).toMatchObject([{ code: 3 }]);
  });

  test("closes its view and lets go of tables at the end", () => {
    const harness = configured(protocol);
    harness.stream.onEnd();
    expect(harness.closed).toBe(true);
    expect(harness.table(CLUSTER).readers.size).toBe(0);
  });
});

describe("a state-of-the-world stream", () => {
  const letters = ["a", "b", "c", "d", "e", "f", "g", "h"];

  test("gives the others to a new client of which one cluster is refused", () => {
    const harness = new StreamHarness("sotw");
    harness.table(CLUSTER).apply(letters.map((name) => cds(name)));
    harness.ask({ type: CLUSTER });
    const accepted = harness.answerAll(({ names }) => names.includes("f"));
    expect(accepted.at(-1)).toEqual(letters.filter((name) => name !== "f"));
    expect(harness.rejections).toMatchObject([{ type: CLUSTER, resources: [{ name: "f" }] }]);
    harness.change({ put: [cds("a", "2")] });
    expect(harness.ack().names).toEqual(letters.filter((name) => name !== "f"));
    harness.change({ put: [cds("f", "mended")] });
    expect(harness.ack().names).toEqual(letters);
    expect(harness.recovered).toEqual(harness.rejections);
  });

  test("keeps the accepted form of a refused cluster in every response", () => {
    const harness = new StreamHarness("sotw");
    harness.table(CLUSTER).apply(letters.map((name) => cds(name)));
    harness.ask({ type: CLUSTER });
    harness.ack();
    const contents: string[][] = [];
    harness.onResponse = (response) => contents.push(altNamesOf(response));
    harness.change({ put: letters.map((name) => cds(name, "2")) });
    const isBad = () => contents.shift()?.[5] === "2";
    const accepted = harness.answerAll(isBad);
    expect(accepted.every((names) => names.length === letters.length)).toBe(true);
    harness.change({ put: [cds("a", "3")] });
    expect(contents).toEqual([["3", "2", "2", "2", "2", "", "2", "2"]]);
  });

  test("brings refused endpoints in parts as well", () => {
    const harness = new StreamHarness("sotw");
    harness.table(ENDPOINTS).apply(letters.map((name) => eds(name)));
    harness.ask({ type: ENDPOINTS, names: letters });
    const accepted = harness.answerAll(({ names }) => names.includes("c"), letters);
    expect(accepted.flat().toSorted()).toEqual(letters.filter((name) => name !== "c"));
    expect(harness.rejections).toMatchObject([{ resources: [{ name: "c" }] }]);
  });

  test("sends nothing again to a client that comes back with all of it, from any replica", () => {
    const first = new StreamHarness("sotw");
    first.table(CLUSTER).apply([cds("a"), cds("b")]);
    first.ask({ type: CLUSTER });
    const { version } = first.ack();
    const second = new StreamHarness("sotw");
    second.table(CLUSTER).apply([cds("b")]);
    second.table(CLUSTER).apply([cds("a")]);
    second.ask({ type: CLUSTER, version });
    expect(second.answers).toEqual([]);
    expect(second.stream.subscriptions.get(CLUSTER)?.state).toBe("synced");
    second.change({ put: [cds("a", "2")] });
    expect(second.ack().names).toEqual(["a", "b"]);
    const third = new StreamHarness("sotw");
    third.table(CLUSTER).apply([cds("a"), cds("b", "2")]);
    third.ask({ type: CLUSTER, version });
    expect(third.ack().names).toEqual(["a", "b"]);
  });
});

function altNamesOf({ resources = [] }: RawResponse): string[] {
  return resources
    .toSorted((left, right) => ((left["name"] as string) < (right["name"] as string) ? -1 : 1))
    .map((one) => (one["altStatName"] ?? "") as string);
}

describe("a delta stream", () => {
  test("says of a name that it unsubscribes whether everything includes it", () => {
    const harness = new StreamHarness("delta");
    harness.table(CLUSTER).apply([cds("a")]);
    harness.ask({ type: CLUSTER, names: ["*", "a", "gone"] });
    expect(harness.ack()).toMatchObject({ names: ["a"], removed: ["gone"] });
    harness.nowMs = 2000;
    harness.stream.tick();
    harness.ask({ type: CLUSTER, unsubscribe: ["a", "gone"], node: null });
    expect(harness.ack()).toMatchObject({ names: ["a"], removed: [] });
    expect(harness.ack()).toMatchObject({ names: [], removed: ["gone"] });
  });

  test("sends nothing again that a reconnected client has", () => {
    const harness = new StreamHarness("delta");
    const [a, b] = [cds("a"), cds("b", "new")];
    harness.table(CLUSTER).apply([a, b]);
    harness.table(ROUTES).apply([rds("r")]);
    const initial = { a: a.version, b: "old", gone: "x" };
    harness.ask({ type: CLUSTER, initial });
    expect(summary(harness)).toEqual([{ type: CLUSTER, names: ["b"], removed: [] }]);
    harness.ack();
    const known = { a: eds("a").version, b: eds("b").version };
    harness.table(ENDPOINTS).apply([eds("a"), eds("b")]);
    harness.ask({ type: ENDPOINTS, names: ["a", "b"], initial: known, node: null });
    expect(harness.answers).toMatchObject([{ type: ENDPOINTS, names: ["b"] }]);
    harness.ask({ type: ROUTES, names: ["r"], initial: { r: "old" }, node: null });
    harness.ack();
    expect(harness.ack()).toMatchObject({ type: ROUTES, names: ["r"] });
    expect(summary(harness)).toEqual([{ type: CLUSTER, names: [], removed: ["gone"] }]);
  });

  test("says nothing to a reconnected client that has everything", () => {
    const harness = new StreamHarness("delta");
    harness.table(ENDPOINTS).apply([eds("a")]);
    harness.ask({ type: ENDPOINTS, names: ["a"], initial: { a: eds("a").version } });
    expect(harness.answers).toEqual([]);
  });

  test("tells that a wanted name doesn't exist, and sends it when it does", () => {
    const harness = new StreamHarness("delta");
    harness.ask({ type: ROUTES, names: ["r"] });
    expect(summary(harness)).toEqual([{ type: ROUTES, names: [], removed: ["r"] }]);
    harness.ack();
    harness.change({ put: [rds("r")] });
    expect(harness.ack().names).toEqual(["r"]);
  });

  test("sends virtual hosts after their route configuration, changes alone, moves in one response", () => {
    const harness = configured("delta");
    const host = (name: string, content = "") => resource(VIRTUAL_HOST, name, content);
    harness.table(VIRTUAL_HOST).apply([host("r/one"), host("r/two"), host("other/one")]);
    harness.ask({ type: VIRTUAL_HOST, node: null });
    expect(harness.ack().names).toEqual(["r/one", "r/two"]);
    harness.change({ put: [host("r/one", "x"), host("other/one", "x")] });
    expect(harness.ack().names).toEqual(["r/one"]);
    harness.change({ put: [host("r/three")], remove: [[VIRTUAL_HOST, "r/two"]] });
    expect(harness.ack()).toMatchObject({ names: ["r/three"], removed: ["r/two"] });
    harness.table(ROUTES).apply([rds("other")]);
    harness.ask({ type: ROUTES, names: ["other"], node: null });
    expect(harness.ack().type).toBe(ROUTES);
    expect(harness.ack().names).toEqual(["other/one"]);
  });

  test("finds the resource that is refused, and brings all others and removals to the client", () => {
    const harness = configured("delta");
    const host = (name: string, content = "") => resource(VIRTUAL_HOST, `r/${name}`, content);
    harness.table(VIRTUAL_HOST).apply([host("old")]);
    harness.ask({ type: VIRTUAL_HOST, node: null });
    harness.ack();
    const names = ["a", "b", "c", "d", "e", "f", "g", "h"];
    harness.change({ put: names.map((name) => host(name)), remove: [[VIRTUAL_HOST, "r/old"]] });
    const accepted: string[] = [];
    let responses = 0;
    for (; harness.answers.length > 0 && responses < 20; responses++) {
      const { nonce, names: sent, removed } = harness.answers.shift()!;
      const isBad = sent.includes("r/f");
      if (!isBad) accepted.push(...sent, ...removed.map((name) => `-${name}`));
      const error = isBad ? "bad" : undefined;
      harness.ask({ type: VIRTUAL_HOST, nonce, node: null, ...(isBad ? { error } : {}) });
    }
    const others = names.filter((name) => name !== "f").map((name) => `r/${name}`);
    expect(accepted.toSorted()).toEqual(["-r/old", ...others]);
    expect(responses).toBe(7);
    expect(harness.rejections).toMatchObject([{ message: "bad", resources: [{ name: "r/f" }] }]);
    harness.change({ put: [host("f", "mended")] });
    expect(harness.ack().names).toEqual(["r/f"]);
  });

  test("ends when it is so slow that removals were forgotten", () => {
    const harness = configured("delta");
    const names = Array.from({ length: 5000 }, (_, index) => `c${index}`);
    harness.table(CLUSTER).apply(names.map((name) => cds(name)));
    harness.table(CLUSTER).apply([], names);
    harness.change();
    expect(harness.ends).toMatchObject([{ code: 14 }]);
  });
});

describe.each<Protocol>(["delta", "sotw"])("patches that a %s client refuses", (protocol) => {
  const patched = (content: string) => resource(LISTENER, "l", content, true);

  function connected(content: string): StreamHarness {
    const harness = new StreamHarness(protocol);
    harness.table(LISTENER).apply([patched(content)]);
    harness.unpatched.set("l", lds("l", "plain"));
    harness.ask({ type: LISTENER });
    return harness;
  }

  test("are left out for one that has nothing yet, until they change", () => {
    const harness = connected("bad");
    harness.answerAll(() => harness.rejections.length === 0);
    expect(harness.rejections).toMatchObject([{ isReplaced: true, resources: [{ name: "l" }] }]);
    expect(harness.acknowledged.at(-1)?.resources).toEqual([lds("l", "plain")]);
    harness.change({ put: [patched("good")] });
    harness.ack();
    expect(harness.acknowledged.at(-1)?.resources).toEqual([patched("good")]);
    expect(harness.recovered).toHaveLength(1);
  });

  test("follow what they are made of, while they are left out", () => {
    const harness = connected("bad");
    harness.answerAll(() => harness.rejections.length === 0);
    harness.unpatched.set("l", lds("l", "other"));
    harness.change({ put: [patched("bad too")] });
    harness.answerAll(() => harness.rejections.length === 1);
    expect(harness.acknowledged.at(-1)?.resources).toEqual([lds("l", "other")]);
  });

  test("are kept as they were by one that has taken them once", () => {
    const harness = connected("good");
    harness.ack();
    harness.change({ put: [patched("bad")] });
    harness.answerAll(() => harness.rejections.length === 0);
    expect(harness.rejections).toMatchObject([{ isReplaced: false }]);
    expect(harness.acknowledged.flatMap(({ resources }) => resources)).not.toContainEqual(
      lds("l", "plain"),
    );
  });

  test("are no reason to try again where the resource is refused without them as well", () => {
    const harness = connected("bad");
    harness.answerAll(() => true);
    expect(harness.rejections).toHaveLength(1);
    expect(harness.answers).toEqual([]);
  });
});

test("a reconnected client keeps the patches that it has, and goes on without those it never had", () => {
  const patched = resource(LISTENER, "l", "bad", true);
  const plain = lds("l", "plain");
  for (const [version, replaced] of [
    ["of another time", false],
    [plain.version, true],
  ] as const) {
    const harness = new StreamHarness("delta");
    harness.table(LISTENER).apply([patched]);
    harness.unpatched.set("l", plain);
    harness.ask({ type: LISTENER, initial: { l: version } });
    harness.answerAll(() => harness.rejections.length === 0);
    expect(harness.rejections).toMatchObject([{ isReplaced: replaced }]);
  }
});
