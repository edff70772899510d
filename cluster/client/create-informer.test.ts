import { afterEach, describe, expect, test } from "@jest/globals";
import type { ConfigMap } from "#cluster/api/generated/core-v1.ts";
import { CONFIG_MAPS } from "#cluster/api/resources.ts";
import { createInformer } from "./create-informer.ts";
import type { Informer } from "./informer.ts";
import { FakeApi } from "./testing/fake-api.ts";
import { waitUntil } from "./testing/wait-until.ts";

let stop = new AbortController();
afterEach(() => {
  stop.abort();
  stop = new AbortController();
});

function configMap(name: string, data: Record<string, string> = {}): ConfigMap {
  return { metadata: { namespace: "default", name }, data };
}

/** Starts an informer and notes each change as `kind name`. */
function follow(api: FakeApi): { informer: Informer<ConfigMap>; changes: string[] } {
  const informer = createInformer(api, CONFIG_MAPS, {
    indexes: { color: (object) => (object.data?.color === undefined ? [] : [object.data.color]) },
  });
  const changes: string[] = [];
  informer.onChange(({ kind, object }) => changes.push(`${kind} ${object.metadata.name}`));
  void informer.run(stop.signal);
  return { informer, changes };
}

describe("informer", () => {
  test("delivers what is there, then what happens", async () => {
    const api = new FakeApi();
    await api.create(CONFIG_MAPS, configMap("a"));
    const { informer, changes } = follow(api);
    await informer.synced;
    expect(changes).toEqual(["added a"]);
    await api.create(CONFIG_MAPS, configMap("b", { color: "red" }));
    await api.patch(
      CONFIG_MAPS,
      { namespace: "default", name: "a" },
      { type: "merge", body: { data: { color: "red" } } },
    );
    await api.delete(CONFIG_MAPS, { namespace: "default", name: "b" });
    await waitUntil("all changes seen", () => changes.length === 4);
    expect(changes.slice(1)).toEqual(["added b", "updated a", "deleted b"]);
    expect(informer.lister.byIndex("color", "red").map((o) => o.metadata.name)).toEqual(["a"]);
    expect(informer.lister.list("other")).toEqual([]);
  });

  test("resumes a broken watch without listing again", async () => {
    const api = new FakeApi();
    const { informer, changes } = follow(api);
    await informer.synced;
    api.breakWatches();
    await api.create(CONFIG_MAPS, configMap("a"));
    await waitUntil("a is seen", () => changes.length === 1);
    expect(api.requests.filter(({ verb }) => verb === "list")).toHaveLength(1);
  });

  test("lists again after the server has compacted, and delivers the difference", async () => {
    const api = new FakeApi();
    await api.create(CONFIG_MAPS, configMap("gone"));
    await api.create(CONFIG_MAPS, configMap("stays"));
    const { informer, changes } = follow(api);
    await informer.synced;
    await waitUntil("it watches", () => api.requests.some(({ verb }) => verb === "watch"));
    let isDown = true;
    api.onRequest = () => {
      if (isDown) throw new Error("connection refused");
    };
    api.breakWatches();
    isDown = false;
    await api.delete(CONFIG_MAPS, { namespace: "default", name: "gone" });
    await api.create(CONFIG_MAPS, configMap("new"));
    api.compact();
    await waitUntil("the difference is seen", () => changes.length === 4);
    expect(changes.slice(2).toSorted()).toEqual(["added new", "deleted gone"]);
  });

  test("a replaced object (same name, other uid) is a deletion and an addition", async () => {
    const api = new FakeApi();
    await api.create(CONFIG_MAPS, configMap("a"));
    const { informer, changes } = follow(api);
    await informer.synced;
    await waitUntil("it watches", () => api.requests.some(({ verb }) => verb === "watch"));
    api.breakWatches();
    await api.delete(CONFIG_MAPS, { namespace: "default", name: "a" });
    await api.create(CONFIG_MAPS, configMap("a"));
    api.compact();
    await waitUntil("both are seen", () => changes.length === 3);
    expect(changes).toEqual(["added a", "deleted a", "added a"]);
  });

  test("lists in pages", async () => {
    const api = new FakeApi();
    for (let i = 0; i < 501; i += 1) await api.create(CONFIG_MAPS, configMap(`c${i}`));
    const { informer } = follow(api);
    await informer.synced;
    expect(informer.lister.list()).toHaveLength(501);
    expect(api.requests.filter(({ verb }) => verb === "list")).toHaveLength(2);
  });

  test("keeps trying while the server is away", async () => {
    const api = new FakeApi();
    let failures = 3;
    api.onRequest = ({ verb }) => {
      if (verb === "list" && failures > 0) {
        failures -= 1;
        throw new Error("connection refused");
      }
    };
    const { informer } = follow(api);
    await informer.synced;
    expect(failures).toBe(0);
  });
});
