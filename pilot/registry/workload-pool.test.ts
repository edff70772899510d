import { expect, test } from "@jest/globals";
import { matchesAll } from "#pilot/model/labels.ts";
import type { ObjectKey } from "#pilot/model/name.ts";
import type { Workload } from "#pilot/model/object.ts";
import { type Selection, WorkloadPool } from "./workload-pool.ts";

function workload(name: string, namespace: string, labels: Record<string, string>): Workload {
  const key = `Workload/${namespace}/${name}` as ObjectKey;
  return { key, name, namespace, labels } as unknown as Workload;
}

test("selections have what their labels say, whatever comes and goes", () => {
  let seed = 5;
  const random = (below: number): number => {
    seed = (seed * 1103515245 + 12345) % 2147483648;
    return seed % below;
  };
  const labels = (): Record<string, string> =>
    Object.fromEntries(
      ["app", "tier", "version"].flatMap((name) =>
        random(2) === 0 ? [] : [[name, String(random(3))]],
      ),
    );
  const pool = new WorkloadPool<string>();
  const workloads = new Map<string, Workload>();
  const selections = new Map<string, Selection>();
  const expected = (key: string): string[] => {
    const selection = selections.get(key);
    return [...workloads.values()]
      .filter((one) => selection?.namespace === one.namespace)
      .filter((one) => matchesAll(selection?.labels ?? {}, one.labels))
      .map((one) => one.key)
      .toSorted();
  };
  for (let step = 0; step < 3000; step++) {
    const name = String(random(20));
    const namespace = `ns-${Number(name) % 2}`;
    if (random(3) === 0) {
      const selection = random(4) === 0 ? undefined : { namespace, labels: labels() };
      pool.select(name, selection, namespace);
      if (selection === undefined) selections.delete(name);
      else selections.set(name, selection);
    } else {
      const had = new Map([...selections.keys()].map((key) => [key, expected(key).join()]));
      const before = workloads.get(name);
      const after = random(4) === 0 ? undefined : workload(name, namespace, labels());
      if (after === undefined) workloads.delete(name);
      else workloads.set(name, after);
      const concerned = pool.replace(before, after);
      expect(new Set(concerned).size).toBe(concerned.length);
      for (const [key, was] of had) {
        if (was !== expected(key).join()) expect(concerned).toContain(key);
      }
    }
    for (const key of selections.keys()) {
      expect(pool.selected(key).map((one) => one.key)).toEqual(expected(key));
    }
  }
});
