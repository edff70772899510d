import { afterEach, beforeEach, expect, test } from "@jest/globals";
import type { KubeObject } from "#cluster/api/meta.ts";
import type { Resource } from "#cluster/api/resources.ts";
import { createInformer } from "#cluster/client/create-informer.ts";
import { FakeApi } from "#cluster/client/testing/fake-api.ts";
import { waitUntil } from "#cluster/client/testing/wait-until.ts";
import { AddressAllocator } from "./address-allocator.ts";

const ENTRIES: Resource = {
  group: "networking.istio.io",
  version: "v1",
  plural: "serviceentries",
  kind: "ServiceEntry",
  namespaced: true,
};

let api: FakeApi;
let abort: AbortController;
let running: Promise<unknown>[];
beforeEach(() => {
  api = new FakeApi();
  api.serve(ENTRIES);
  abort = new AbortController();
  running = [];
});
afterEach(async () => {
  abort.abort();
  await Promise.all(running);
});

async function start(): Promise<void> {
  const { signal } = abort;
  const log = (): void => undefined;
  const allocator = new AddressAllocator({ client: api, namespace: "istio-system", log, signal });
  const informer = createInformer(api, ENTRIES);
  informer.onChange(({ kind, object }) =>
    allocator.handle({ type: kind === "deleted" ? "delete" : "upsert", object }),
  );
  running.push(informer.run(signal));
  await informer.synced;
  running.push(allocator.run());
}

function entry(name: string, spec: object, more: object = {}): KubeObject {
  return {
    metadata: { name, namespace: "default", ...more },
    spec: { resolution: "STATIC", ports: [{ number: 80, name: "http" }], ...spec },
  };
}

function addresses(name: string): { host: string; value: string }[] {
  const found = api.peek(ENTRIES).find((one) => one.metadata.name === name);
  return (found?.["status"] as { addresses?: { host: string; value: string }[] })?.addresses ?? [];
}

test("hosts without an address get one, those that mustn't don't", async () => {
  await api.create(ENTRIES, entry("a", { hosts: ["a.example.org", "b.example.org", "*.c.org"] }));
  await api.create(ENTRIES, entry("own", { hosts: ["a.example.org"], addresses: ["192.0.2.1"] }));
  await api.create(ENTRIES, entry("none", { hosts: ["a.example.org"], resolution: "NONE" }));
  const labels = { "networking.istio.io/enable-autoallocate-ip": "false" };
  await api.create(ENTRIES, entry("out", { hosts: ["a.example.org"] }, { labels }));
  await start();
  await waitUntil("it is written", () => addresses("a").length === 2);
  await api.create(ENTRIES, entry("later", { hosts: ["later.example.org"] }));
  await waitUntil("the later one too", () => addresses("later").length === 1);
  const given = [...addresses("a"), ...addresses("later")];
  expect(given.map(({ host }) => host)).toEqual([
    "a.example.org",
    "b.example.org",
    "later.example.org",
  ]);
  expect(new Set(given.map(({ value }) => value)).size).toBe(3);
  for (const { value } of given) expect(value).toMatch(/^240\.240\.\d+\.\d+$/);
  for (const name of ["own", "none", "out"]) expect(addresses(name)).toEqual([]);
});

test("an entry that is made anew has the address that it had", async () => {
  await start();
  await api.create(ENTRIES, entry("a", { hosts: ["a.example.org"] }));
  await waitUntil("it is written", () => addresses("a").length === 1);
  const before = addresses("a");
  await api.delete(ENTRIES, { namespace: "default", name: "a" });
  await api.create(ENTRIES, entry("a", { hosts: ["a.example.org"] }));
  await waitUntil("it is written again", () => addresses("a").length === 1);
  expect(addresses("a")).toEqual(before);
});

test("an address that somebody writes by hand is given up by who had it allocated", async () => {
  await start();
  await api.create(ENTRIES, entry("a", { hosts: ["a.example.org"] }));
  await waitUntil("it is written", () => addresses("a").length === 1);
  const [{ value } = { value: "" }] = addresses("a");
  await api.create(ENTRIES, entry("b", { hosts: ["b.example.org"], addresses: [value] }));
  await waitUntil("it has another", () => addresses("a")[0]?.value !== value);
  expect(addresses("a")).toHaveLength(1);
});

test("addresses go when nothing wants them any more", async () => {
  await start();
  await api.create(ENTRIES, entry("a", { hosts: ["a.example.org"] }));
  await waitUntil("it is written", () => addresses("a").length === 1);
  const now = await api.get(ENTRIES, { namespace: "default", name: "a" });
  await api.update(ENTRIES, { ...now, spec: { ...(now["spec"] as object), resolution: "NONE" } });
  await waitUntil("it is taken back", () => addresses("a").length === 0);
});
