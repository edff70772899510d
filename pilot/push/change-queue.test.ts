import { describe, expect, test } from "@jest/globals";
import { namespaceChange } from "./testing/changes.ts";
import { ChangeQueue } from "./change-queue.ts";

/** Time that stands still until it is told to go on. */
class ManualClock {
  time = 0;
  #later: { at: number; run: () => void }[] = [];

  now = (): number => this.time;

  after = (ms: number, run: () => void): void => {
    this.#later.push({ at: this.time + Math.max(0, ms), run });
  };

  advance(ms: number): void {
    const end = this.time + ms;
    for (;;) {
      const next = this.#later.toSorted((left, right) => left.at - right.at)[0];
      if (next === undefined || next.at > end) break;
      this.#later = this.#later.filter((one) => one !== next);
      this.time = Math.max(this.time, next.at);
      next.run();
    }
    this.time = Math.max(this.time, end);
  }
}

function queue(costMs = 0): { clock: ManualClock; batches: number[]; queue: ChangeQueue } {
  const clock = new ManualClock();
  const batches: number[] = [];
  const made = new ChangeQueue((changes) => {
    batches.push(changes.length);
    clock.time += costMs;
  }, clock);
  return { clock, batches, queue: made };
}

describe("the change queue", () => {
  test("holds everything back until it is started, and then gives one batch", () => {
    const { clock, batches, queue: changes } = queue();
    for (let index = 0; index < 10; index++) changes.add([namespaceChange(`n${index}`)]);
    clock.advance(1000);
    expect(batches).toEqual([]);
    changes.start();
    clock.advance(0);
    expect(batches).toEqual([10]);
  });

  test("lets an isolated change go at once", () => {
    const { clock, batches, queue: changes } = queue(50);
    changes.start();
    changes.add([namespaceChange("a")]);
    clock.advance(0);
    expect(batches).toEqual([1]);
    clock.advance(1000);
    changes.add([namespaceChange("a")]);
    clock.advance(0);
    expect(batches).toEqual([1, 1]);
  });

  test("gathers changes that keep coming while it works and as long again", () => {
    const { clock, batches, queue: changes } = queue(40);
    changes.start();
    for (let index = 0; index < 400; index++) {
      changes.add([namespaceChange(`n${index}`)]);
      clock.advance(1);
    }
    expect(batches.length).toBeLessThan(20);
    clock.advance(200);
    expect(batches.reduce((sum, size) => sum + size, 0)).toBe(400);
  });

  test("waits no longer than its bound after an expensive batch", () => {
    const { clock, batches, queue: changes } = queue(5000);
    changes.start();
    changes.add([namespaceChange("a")]);
    clock.advance(0);
    changes.add([namespaceChange("b")]);
    clock.advance(100);
    expect(batches).toEqual([1, 1]);
  });

  test("keeps the last change of an object only", () => {
    const { clock, batches, queue: changes } = queue();
    changes.start();
    for (let index = 0; index < 10_000; index++) changes.add([namespaceChange("same")]);
    expect(changes.length).toBe(1);
    clock.advance(0);
    expect(batches).toEqual([1]);
  });
});
