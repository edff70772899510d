import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "@jest/globals";
import { createMemoryStore } from "./memory-store.ts";
import { openSqliteStore } from "./sqlite-store.ts";
import type { Store, StoreEvent } from "./store.ts";

const folder = await mkdtemp(join(tmpdir(), "lateen-store-"));
let files = 0;
const newFile = (): string => join(folder, `${++files}.db`);

afterAll(() => rm(folder, { recursive: true, force: true }));

/** A small history, so that compaction can be reached. */
const BOUNDS = { maxEvents: 8, maxCharacters: 1_000 };

const DRIVERS: { name: string; open: () => Promise<Store> }[] = [
  { name: "memory", open: () => Promise.resolve(createMemoryStore(BOUNDS)) },
  { name: "sqlite", open: () => openSqliteStore(newFile(), BOUNDS) },
];

function written(result: Awaited<ReturnType<Store["create"]>>): number {
  if (!result.ok) throw new Error(`not written: ${result.reason}`);
  return result.stored.revision;
}

function keysOf(result: ReturnType<Store["list"]>): string[] {
  if (!result.ok) throw new Error(result.reason);
  return result.values.map((value) => value.key);
}

describe.each(DRIVERS)("the $name store", ({ open }) => {
  async function withStore(use: (store: Store) => Promise<void>): Promise<void> {
    const store = await open();
    try {
      await use(store);
    } finally {
      await store.close();
    }
  }

  test("gives every write the next revision and reads back what was written", () =>
    withStore(async (store) => {
      const start = store.revision;
      expect(written(await store.create("/a/1", "one"))).toBe(start + 1);
      expect(written(await store.updateIf("/a/1", start + 1, "two"))).toBe(start + 2);
      expect(store.get("/a/1")).toEqual({ key: "/a/1", value: "two", revision: start + 2 });
      expect(await store.deleteIf("/a/1", start + 2)).toMatchObject({ revision: start + 3 });
      expect(store.get("/a/1")).toBeUndefined();
      expect(store.revision).toBe(start + 3);
    }));

  test("refuses a write whose condition doesn't hold, and changes nothing", () =>
    withStore(async (store) => {
      const revision = written(await store.create("/a", "1"));
      const current = { key: "/a", value: "1", revision };
      expect(await store.create("/a", "2")).toEqual({ ok: false, reason: "exists", current });
      const conflict = { ok: false, reason: "conflict", current };
      expect(await store.updateIf("/a", revision - 1, "2")).toEqual(conflict);
      expect(await store.deleteIf("/a", revision - 1)).toEqual(conflict);
      expect(await store.updateIf("/b", undefined, "2")).toEqual({ ok: false, reason: "missing" });
      expect(await store.deleteIf("/b", undefined)).toEqual({ ok: false, reason: "missing" });
      expect(store.revision).toBe(revision);
    }));

  test("lets exactly one of many concurrent writers of a key win", () =>
    withStore(async (store) => {
      const revision = written(await store.create("/a", "0"));
      const writers = Array.from({ length: 20 }, (_, i) => store.updateIf("/a", revision, `${i}`));
      const results = await Promise.all(writers);
      expect(results.filter((result) => result.ok)).toHaveLength(1);
      expect(store.get("/a")?.value).toBe("0");
    }));

  test("lists a prefix in key order, in pages that show one revision", () =>
    withStore(async (store) => {
      await Promise.all(["/p/c", "/p/a", "/q/x", "/p/b"].map((key) => store.create(key, key)));
      const first = store.list("/p/", { limit: 2 });
      expect(first).toMatchObject({ ok: true, remaining: 1, revision: store.revision });
      expect(keysOf(first)).toEqual(["/p/a", "/p/b"]);
      const { revision } = store;
      await store.deleteIf("/p/c", undefined);
      await store.create("/p/d", "later");
      expect(keysOf(store.list("/p/", { after: "/p/b", revision }))).toEqual(["/p/c"]);
      expect(keysOf(store.list("/p/"))).toEqual(["/p/a", "/p/b", "/p/d"]);
    }));

  test("replays history to a watcher, then goes on live, without gap or repetition", () =>
    withStore(async (store) => {
      const from = written(await store.create("/w/a", "1"));
      await store.updateIf("/w/a", from, "2");
      await store.create("/other", "x");
      const events: StoreEvent[] = [];
      const watch = store.watch("/w/", from, (event) => events.push(event));
      await store.deleteIf("/w/a", undefined);
      if (watch.ok) watch.stop();
      await store.create("/w/b", "unseen");
      expect(events.map(({ current, previous }) => [previous?.value, current?.value])).toEqual([
        ["1", "2"],
        ["2", undefined],
      ]);
    }));

  test("says that a revision is compacted when history no longer reaches it", () =>
    withStore(async (store) => {
      const from = store.revision;
      for (let i = 0; i < 10; i++) await store.create(`/n/${i}`, "");
      const compacted = { ok: false, reason: "compacted", oldest: from + 2 };
      expect(store.watch("/n/", from, () => undefined)).toEqual(compacted);
      expect(store.list("/n/", { revision: from + 1 })).toEqual(compacted);
      expect(keysOf(store.list("/n/", { revision: from + 2 }))).toHaveLength(2);
      store.compact(from + 5);
      expect(store.watch("/n/", from + 4, () => undefined)).toMatchObject({ oldest: from + 5 });
      expect(store.watch("/n/", from + 5, () => undefined)).toMatchObject({ ok: true });
    }));

  test("refuses writes once it is closed", async () => {
    const store = await open();
    await store.create("/a", "1");
    await store.close();
    await expect(store.create("/b", "1")).rejects.toThrow("store is closed: /b was not written");
  });
});

describe("the sqlite store", () => {
  test("comes back with the same values and revision, deletions counted", async () => {
    const file = newFile();
    const store = await openSqliteStore(file);
    await store.create("/a", "1");
    await store.create("/b", "2");
    await store.deleteIf("/b", undefined);
    const { revision } = store;
    await store.close();
    const again = await openSqliteStore(file);
    expect(again.revision).toBe(revision);
    expect(again.list("/")).toMatchObject({ values: [{ key: "/a", value: "1" }] });
    expect(again.watch("/", revision, () => undefined).ok).toBe(true);
    expect(again.watch("/", revision - 1, () => undefined).ok).toBe(false);
    await again.close();
  });

  test("refuses a file that is no store, naming it and the way out", async () => {
    const file = newFile();
    await writeFile(file, "this is no database, but long enough to look like one".repeat(100));
    await expect(openSqliteStore(file)).rejects.toThrow(
      `store ${file}: file is not a database: it is not a store of Lateen; move the file away`,
    );
  });

  test("refuses a file that another server has open", async () => {
    const file = newFile();
    const store = await openSqliteStore(file);
    await expect(openSqliteStore(file)).rejects.toThrow("another process has it open");
    await store.close();
  });

  test("refuses a corrupt file instead of losing objects silently", async () => {
    const file = newFile();
    const store = await openSqliteStore(file);
    const rows = Array.from({ length: 200 }, (_, i) => store.create(`/${i}`, "x".repeat(500)));
    await Promise.all(rows);
    await store.close();
    const { open } = await import("node:fs/promises");
    const handle = await open(file, "r+");
    await handle.write(Buffer.alloc(40_000, 0xff), 0, 40_000, 8_192);
    await handle.close();
    await expect(openSqliteStore(file)).rejects.toThrow("it is corrupt; restore a copy");
  });
});
