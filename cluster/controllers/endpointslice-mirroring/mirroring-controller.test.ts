import { afterEach, describe, expect, test } from "@jest/globals";
import type { Endpoints } from "#cluster/api/generated/core-v1.ts";
import { ENDPOINTS, ENDPOINT_SLICES, SERVICES } from "#cluster/api/resources.ts";
import { FakeApi } from "#cluster/client/testing/fake-api.ts";
import { startControllers } from "#cluster/client/testing/run-controllers.ts";
import type { RunningControllers } from "#cluster/client/testing/run-controllers.ts";
import { waitUntil } from "#cluster/client/testing/wait-until.ts";
import { planMirror } from "./mirrored-slices.ts";
import { runEndpointSliceMirroringController } from "./mirroring-controller.ts";

let running: RunningControllers | undefined;
afterEach(async () => {
  await running?.stop();
  running = undefined;
});

const REF = { namespace: "default", name: "db" };
const BY_HAND: Endpoints = {
  metadata: { ...REF, uid: "u", labels: { tier: "data" } },
  subsets: [
    {
      addresses: [{ ip: "192.0.2.1" }, { ip: "2001:db8::1" }],
      notReadyAddresses: [{ ip: "192.0.2.2" }],
      ports: [{ name: "sql", port: 5432 }],
    },
  ],
};

describe("mirrored slices", () => {
  test("are one a subset and family, with what isn't ready marked", () => {
    const { create } = planMirror(BY_HAND, []);
    expect(create).toMatchObject([
      {
        metadata: {
          generateName: "db-",
          labels: { tier: "data", "kubernetes.io/service-name": "db" },
          ownerReferences: [{ kind: "Endpoints", name: "db", uid: "u" }],
        },
        addressType: "IPv4",
        ports: [{ name: "sql", protocol: "TCP", port: 5432 }],
        endpoints: [
          { addresses: ["192.0.2.1"], conditions: { ready: true } },
          { addresses: ["192.0.2.2"], conditions: { ready: false } },
        ],
      },
      { addressType: "IPv6", endpoints: [{ addresses: ["2001:db8::1"] }] },
    ]);
  });

  test("are kept while nothing changes, and go with their subset", () => {
    const [ipv4, ipv6] = planMirror(BY_HAND, []).create.map((slice, index) => ({
      ...slice,
      metadata: { ...slice.metadata, name: `db-${index}` },
    }));
    if (ipv4 === undefined || ipv6 === undefined) throw new Error("two slices are expected");
    expect(planMirror(BY_HAND, [ipv4, ipv6])).toEqual({ create: [], update: [], remove: [] });
    const [subset] = BY_HAND.subsets ?? [];
    const fewer = { ...BY_HAND, subsets: [{ ...subset, addresses: [{ ip: "192.0.2.9" }] }] };
    const plan = planMirror(fewer, [ipv4, ipv6]);
    expect(plan.update.map(({ metadata }) => metadata.name)).toEqual(["db-0"]);
    expect(plan.remove).toEqual([ipv6]);
  });

  test("come for Services without a selector only, and go when mirroring is refused", async () => {
    const api = new FakeApi();
    await api.create(SERVICES, { metadata: REF, spec: { ports: [{ port: 5432 }] } });
    await api.create(SERVICES, {
      metadata: { ...REF, name: "web" },
      spec: { selector: { app: "web" } },
    });
    await api.create(ENDPOINTS, { ...BY_HAND, metadata: { ...REF, name: "web" } });
    await api.create(ENDPOINTS, { ...BY_HAND, metadata: REF });
    running = startControllers(api, [runEndpointSliceMirroringController]);
    await waitUntil("two slices", () => api.peek(ENDPOINT_SLICES).length === 2);
    const labels = api
      .peek(ENDPOINT_SLICES)
      .map(({ metadata }) => metadata.labels?.["kubernetes.io/service-name"]);
    expect(labels).toEqual(["db", "db"]);
    const skip = { metadata: { labels: { "endpointslice.kubernetes.io/skip-mirror": "true" } } };
    await api.patch(ENDPOINTS, REF, { type: "merge", body: skip });
    await waitUntil("no slices", () => api.peek(ENDPOINT_SLICES).length === 0);
  });
});
