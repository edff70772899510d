import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import type { KubeObject } from "#cluster/api/meta.ts";
import { CUSTOM_RESOURCE_DEFINITIONS } from "#cluster/api/resources.ts";
import type { Resource } from "#cluster/api/resources.ts";
import type { FakeApi } from "#cluster/client/testing/fake-api.ts";
import { waitUntil } from "#cluster/client/testing/wait-until.ts";
import { ask } from "#cluster/dns/testing/ask.ts";
import { createObjects, startDns } from "#cluster/dns/testing/world.ts";

const ENTRIES: Resource = {
  group: "networking.istio.io",
  version: "v1",
  plural: "serviceentries",
  kind: "ServiceEntry",
  namespaced: true,
};

const stop = new AbortController();
let api: FakeApi;
let port: number;

async function putEntry(name: string, spec: object, status: object = {}): Promise<KubeObject> {
  const metadata = { name, namespace: "default" };
  return api.create(ENTRIES, { metadata, spec, status });
}

beforeAll(async () => {
  api = await createObjects();
  api.serve(ENTRIES);
  const versions = [{ name: "v1", served: true, storage: true }];
  await api.create(CUSTOM_RESOURCE_DEFINITIONS, {
    metadata: { name: "serviceentries.networking.istio.io" },
    spec: {
      group: "networking.istio.io",
      names: { kind: "ServiceEntry", plural: "serviceentries" },
      scope: "Namespaced",
      versions,
    },
  });
  const allocated = { addresses: [{ host: "Given.example.org", value: "240.240.0.7" }] };
  await putEntry("given", { hosts: ["Given.example.org"], resolution: "STATIC" }, allocated);
  await putEntry("written", {
    hosts: ["written.example.org", "*.wild.example.org", "here.default.svc.cluster.local"],
    addresses: ["192.0.2.1", "192.0.2.2/32", "198.51.100.0/24", "2001:db8::1"],
    resolution: "NONE",
  });
  const byItself = { addresses: [{ host: "dns.example.org", value: "240.240.0.8" }] };
  await putEntry("dns", { hosts: ["dns.example.org"], resolution: "DNS" }, byItself);
  const elsewhere = { addresses: [{ host: "other.example.org", value: "240.240.0.9" }] };
  const endpoints = [{ address: "backend.example.org" }];
  await putEntry("e", { hosts: ["other.example.org"], resolution: "DNS", endpoints }, elsewhere);
  port = await startDns(api, [], stop.signal);
});
afterAll(() => stop.abort());

describe("hosts of ServiceEntries", () => {
  test.each([
    ["given.example.org", ["240.240.0.7"]],
    ["written.example.org", ["192.0.2.1", "192.0.2.2"]],
    ["a.wild.example.org", ["192.0.2.1", "192.0.2.2"]],
    ["here.default.svc.cluster.local", ["192.0.2.1", "192.0.2.2"]],
    ["other.example.org", ["240.240.0.9"]],
  ])("%s has the addresses of its entry", async (name, addresses) => {
    const reply = await ask(name, "A", { port, transport: "tcp" });
    expect(reply.answers.toSorted()).toEqual(addresses.map((one) => `${name} A ${one}`));
    const v6 = await ask(name, "AAAA", { port });
    expect(v6).toMatchObject({ rcode: "NOERROR", answers: [] });
  });

  test("that proxies look up themselves are asked elsewhere", async () => {
    expect((await ask("dns.example.org", "A", { port })).rcode).toBe("SERVFAIL");
  });

  test("change with their entries, and go with them", async () => {
    const answers = async (): Promise<string[]> =>
      (await ask("new.example.org", "A", { port })).answers;
    await putEntry("new", { hosts: ["new.example.org"], addresses: ["192.0.2.9"] });
    await waitUntil("it is known", async () => (await answers()).length === 1);
    await api.delete(ENTRIES, { namespace: "default", name: "new" });
    await waitUntil("it is gone", async () => (await answers()).length === 0);
  });
});
