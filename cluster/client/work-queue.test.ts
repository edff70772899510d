import { describe, expect, test } from "@jest/globals";
import { statusError } from "#cluster/api/status-error.ts";
import { runReconciler } from "./reconciler.ts";
import { FakeClock } from "./testing/fake-clock.ts";
import { waitUntil } from "./testing/wait-until.ts";
import { WorkQueue } from "./work-queue.ts";

describe("work queue", () => {
  test("holds a key once", async () => {
    const queue = new WorkQueue();
    queue.add("a");
    queue.add("a");
    queue.add("b");
    expect(queue.length).toBe(2);
    expect(await queue.take()).toBe("a");
    expect(await queue.take()).toBe("b");
  });

  test("gives a key that was added during its work out again, after done", async () => {
    const queue = new WorkQueue();
    queue.add("a");
    await queue.take();
    queue.add("a");
    expect(queue.length).toBe(0);
    queue.done("a");
    expect(await queue.take()).toBe("a");
    queue.done("a");
    expect(queue.idle).toBe(true);
  });

  test("of several delays the earliest counts", () => {
    const clock = new FakeClock();
    const queue = new WorkQueue(clock);
    queue.addAfter("a", 5_000);
    queue.addAfter("a", 1_000);
    queue.addAfter("a", 3_000);
    clock.advance(999);
    expect(queue.length).toBe(0);
    clock.advance(1);
    expect(queue.length).toBe(1);
    expect(clock.pending).toBe(0);
  });

  test("a failing key waits twice as long each time, until forgotten", async () => {
    const clock = new FakeClock();
    const queue = new WorkQueue(clock);
    const waits: number[] = [];
    for (let round = 0; round < 3; round += 1) {
      queue.addRateLimited("a");
      let waited = 0;
      for (; queue.length === 0; waited += 1) clock.advance(1);
      waits.push(waited);
      await queue.take();
      queue.done("a");
    }
    expect(waits).toEqual([5, 10, 20]);
    queue.forget("a");
    queue.addRateLimited("a");
    clock.advance(5);
    expect(queue.length).toBe(1);
  });

  test("close lets waiting takers go", async () => {
    const queue = new WorkQueue();
    const taken = queue.take();
    queue.close();
    expect(await taken).toBeUndefined();
    expect(await queue.take()).toBeUndefined();
  });
});

describe("reconciler", () => {
  test("tries failed keys again and logs all failures but conflicts", async () => {
    const stop = new AbortController();
    const queue = new WorkQueue();
    const log: string[] = [];
    const tries = new Map<string, number>();
    const running = runReconciler({
      name: "test",
      queue,
      concurrency: 2,
      signal: stop.signal,
      log: (line) => log.push(line),
      async reconcile(key) {
        const count = (tries.get(key) ?? 0) + 1;
        tries.set(key, count);
        if (count < 3 && key === "stale") throw statusError("Conflict", "modified");
        if (count < 3 && key === "bad") throw new Error("broken", { cause: new Error("why") });
      },
    });
    for (const key of ["good", "bad", "stale"]) queue.add(key);
    await waitUntil("all done", () => tries.get("bad") === 3 && tries.get("stale") === 3);
    stop.abort();
    await running;
    expect(tries.get("good")).toBe(1);
    expect(log).toEqual(["test: bad: broken: why; retrying", "test: bad: broken: why; retrying"]);
  });
});
