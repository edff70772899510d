import { describe, expect, test } from "@jest/globals";
import type { Pod } from "#cluster/api/generated/core-v1.ts";
import { OwnWrites } from "./own-writes.ts";

function pod(name: string, revision: number, deleting = false): Pod {
  return {
    metadata: {
      namespace: "default",
      name,
      uid: name,
      resourceVersion: String(revision),
      ...(deleting ? { deletionTimestamp: "2026-01-01T00:00:00Z" } : {}),
    },
  };
}

function names(pods: readonly Pod[]): string[] {
  return pods.map(({ metadata }) => `${metadata.name}@${metadata.resourceVersion}`);
}

describe("own writes", () => {
  test("what was created is listed until the informer has got that far", () => {
    const informer = { revision: 5n };
    const writes = new OwnWrites<Pod>(informer);
    writes.note(pod("a", 7));
    writes.note(pod("old", 4));
    expect(names(writes.over([], () => true))).toEqual(["a@7"]);
    expect(names(writes.over([], () => false))).toEqual([]);
    // The informer is past it and doesn't list it: it was deleted.
    informer.revision = 8n;
    expect(names(writes.over([], () => true))).toEqual([]);
  });

  test("the newer of two states counts", () => {
    const writes = new OwnWrites<Pod>({ revision: 5n });
    writes.note(pod("a", 7));
    expect(names(writes.over([pod("a", 3)], () => true))).toEqual(["a@7"]);
    expect(names(writes.over([pod("a", 9)], () => true))).toEqual(["a@9"]);
  });

  test("what was deleted is not listed until the informer shows it as deleting", () => {
    const writes = new OwnWrites<Pod>({ revision: 5n });
    writes.noteDeleted(pod("a", 3));
    expect(names(writes.over([pod("a", 3)], () => true))).toEqual([]);
    expect(names(writes.over([pod("a", 6, true)], () => true))).toEqual(["a@6"]);
  });
});
