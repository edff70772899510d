import { expect, test } from "@jest/globals";
import { BUILT_IN_KINDS } from "#cluster/apiserver/kinds/table.ts";
import { createMemoryStore } from "#cluster/storage/memory-store.ts";
import type { RegistryContext } from "./context.ts";
import { removeExpired } from "./event-expiry.ts";
import { KindTable } from "./kind-table.ts";

test("events go an hour after they were last renewed", async () => {
  const store = createMemoryStore();
  const event = (creationTimestamp: string, lastTimestamp?: string): string =>
    JSON.stringify({ metadata: { creationTimestamp }, lastTimestamp });
  await store.create("/registry/events/default/old", event("2030-01-01T00:00:00Z"));
  const renewed = event("2030-01-01T00:00:00Z", "2030-01-01T00:30:00Z");
  await store.create("/registry/events/default/renewed", renewed);
  const context: RegistryContext = {
    store,
    kinds: new KindTable(BUILT_IN_KINDS),
    network: {
      fabricCidr: "",
      hostAddress: "",
      podCidr: "",
      serviceCidr: "",
      loadBalancerCidr: "",
      dnsAddress: "",
      clusterDomain: "",
      fabricNamespace: "",
      hostLink: "",
    },
    admission: [],
    allocators: [],
    now: () => Date.parse("2030-01-01T01:00:01Z"),
  };
  await removeExpired(context);
  const left = store.list("/registry/events/");
  expect(left.ok && left.values.map(({ key }) => key)).toEqual([
    "/registry/events/default/renewed",
  ]);
});
