import { afterEach, describe, expect, test } from "@jest/globals";
import type { ReplicaEntry } from "./replicas.ts";
import { Replicas } from "./replicas.ts";
import { StatusWriter } from "./status-writer.ts";
import type { ObjectStatus } from "./object-status.ts";
import { LEASES } from "#cluster/api/resources.ts";
import type { Resource } from "#cluster/api/resources.ts";
import { FakeApi } from "#cluster/client/testing/fake-api.ts";

const KEY = "VirtualService/default/web";
const NAMESPACE = "istio-system";

const entry = (generation: number): ReplicaEntry => ({
  generation,
  figure: { proxies: 2, live: 2 },
  problems: [],
});

/** Looks until it is so; every wait here is for work that is under way. */
async function until(isSo: () => boolean): Promise<void> {
  for (let round = 0; round < 2000 && !isSo(); round++) {
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  expect(isSo()).toBe(true);
}

describe("replicas", () => {
  const running: { abort: AbortController; done: Promise<void> }[] = [];

  afterEach(async () => {
    for (const { abort, done } of running.splice(0)) {
      abort.abort();
      await done;
    }
  });

  function start(
    api: FakeApi,
    identity: string,
    onChange: (keys: readonly string[]) => void = () => undefined,
  ): Replicas {
    const abort = new AbortController();
    const { signal } = abort;
    const log = (): void => undefined;
    const common = { client: api, namespace: NAMESPACE, log, signal, intervalMs: 1 };
    const replicas = new Replicas({ ...common, identity, onChange });
    running.push({ abort, done: replicas.run() });
    return replicas;
  }

  test("hear what the others tell, until they go", async () => {
    const api = new FakeApi();
    const told: string[] = [];
    const a = start(api, "a", (keys) => void told.push(...keys));
    const b = start(api, "b");
    b.report({ [KEY]: entry(3) });
    await until(() => a.of(KEY)[0]?.generation === 3);
    expect(told).toEqual([KEY]);
    expect(b.of(KEY)).toEqual([undefined]);
    expect(a.of("VirtualService/default/other")).toEqual([undefined]);
    const [last] = running.splice(1);
    last?.abort.abort();
    await last?.done;
    await until(() => a.of(KEY).length === 0);
    expect(api.peek(LEASES, NAMESPACE)).toHaveLength(1);
  });

  test("don't count one that gives no sign any more, and clear up behind it", async () => {
    const api = new FakeApi();
    await api.create(LEASES, {
      metadata: {
        name: "lateen-pilot-dead",
        namespace: NAMESPACE,
        labels: { "lateen.dev/pilot-replica": "true" },
        annotations: { "lateen.dev/report": JSON.stringify([[KEY, entry(1)]]) },
      },
    });
    const a = start(api, "a");
    await until(() => a.of(KEY).length === 1);
    await until(() => a.of(KEY).length === 0);
    await until(() => api.peek(LEASES, NAMESPACE).length === 1);
  });

  test("take no nonsense", async () => {
    const api = new FakeApi();
    const texts = ["{", "[1]", '[["a", null]]', '[["a", { "generation": 1 }]]', undefined];
    for (const [index, text] of texts.entries()) {
      await api.create(LEASES, {
        metadata: {
          name: `lateen-pilot-${index}`,
          namespace: NAMESPACE,
          labels: { "lateen.dev/pilot-replica": "true" },
          ...(text === undefined ? {} : { annotations: { "lateen.dev/report": text } }),
        },
      });
    }
    const a = start(api, "a");
    await until(() => a.of("a").length === texts.length);
    expect(a.of("a").every((one) => one === undefined)).toBe(true);
  });

  test("tell no more than an annotation holds", async () => {
    const api = new FakeApi();
    const a = start(api, "a");
    const long = [{ object: KEY, path: "", reason: "X", message: "x".repeat(1000) }];
    for (let index = 0; index < 2000; index++) {
      a.report({ [`VirtualService/default/${index}`]: { ...entry(1), problems: long } });
    }
    const text = (): string =>
      api.peek(LEASES, NAMESPACE)[0]?.metadata.annotations?.["lateen.dev/report"] ?? "";
    await until(() => text().includes("VirtualService/default/1999"));
    expect(text().length).toBeLessThan(256 * 1024);
  });
});

describe("the writer", () => {
  const RULES: Resource = {
    group: "networking.istio.io",
    version: "v1",
    plural: "virtualservices",
    kind: "VirtualService",
    namespaced: true,
  };
  const status = (observedGeneration: number): ObjectStatus => ({
    observedGeneration,
    conditions: [],
    validationMessages: [],
  });

  test("writes the newest status of each object, when it leads, and tries again", async () => {
    const api = new FakeApi();
    api.serve(RULES);
    for (const name of ["web", "api"]) {
      await api.create(RULES, { metadata: { name, namespace: "default" }, spec: {} });
    }
    let failures = 1;
    api.onRequest = ({ verb }) => {
      if (verb === "patch" && failures-- > 0) throw new Error("not now");
    };
    const logged: string[] = [];
    const log = (line: string): void => void logged.push(line);
    const writer = new StatusWriter({
      client: api,
      resources: [RULES],
      log,
      intervalMs: 1,
      retryMs: 1,
    });
    const object = (name: string): never =>
      ({ key: `VirtualService/default/${name}`, apiVersion: "networking.istio.io/v1" }) as never;
    writer.write(object("web"), status(1));
    writer.setLeader(true);
    writer.write(object("web"), status(2));
    writer.write(object("api"), status(3));
    writer.write(object("api"), status(4));
    writer.write(object("gone"), status(5));
    const seen = (): unknown[] =>
      api.peek(RULES).map((one) => (one.status as ObjectStatus | undefined)?.observedGeneration);
    await until(() => seen().join() === "4,2");
    expect(logged).toEqual(["no status for VirtualService/default/web: not now"]);
    const patches = api.requests.filter(({ verb }) => verb === "patch");
    expect(patches.every(({ subresource }) => subresource === "status")).toBe(true);
  });
});
