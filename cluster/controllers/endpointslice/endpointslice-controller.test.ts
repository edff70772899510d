import { afterEach, describe, expect, test } from "@jest/globals";
import type { Endpoint, EndpointSlice } from "#cluster/api/generated/discovery-v1.ts";
import { ENDPOINT_SLICES, PODS, SERVICES } from "#cluster/api/resources.ts";
import { FakeApi } from "#cluster/client/testing/fake-api.ts";
import { startControllers } from "#cluster/client/testing/run-controllers.ts";
import type { RunningControllers } from "#cluster/client/testing/run-controllers.ts";
import { waitUntil } from "#cluster/client/testing/wait-until.ts";
import { runEndpointSliceController } from "./endpointslice-controller.ts";

let running: RunningControllers | undefined;
afterEach(async () => {
  await running?.stop();
  running = undefined;
});

const REF = { namespace: "default", name: "web" };

async function start(): Promise<FakeApi> {
  const api = new FakeApi();
  await api.create(SERVICES, {
    metadata: REF,
    spec: { selector: { app: "web" }, ports: [{ port: 80, targetPort: 8080 }] },
  });
  running = startControllers(api, [runEndpointSliceController]);
  return api;
}

async function addPod(api: FakeApi, name: string, ip: string): Promise<void> {
  await api.create(PODS, {
    metadata: { ...REF, name, labels: { app: "web" } },
    spec: { nodeName: "n1", containers: [{ name: "c" }] },
    status: { phase: "Running", podIP: ip, conditions: [{ type: "Ready", status: "True" }] },
  });
}

function endpoints(api: FakeApi): Endpoint[] {
  return api.peek(ENDPOINT_SLICES).flatMap((slice) => slice.endpoints ?? []);
}

describe("endpointslice controller", () => {
  test("follows pods as they come, change and go", async () => {
    const api = await start();
    await addPod(api, "a", "192.0.2.1");
    await addPod(api, "b", "192.0.2.2");
    await waitUntil("both", () => endpoints(api).length === 2);
    const conditions = [{ type: "Ready", status: "False" }];
    const notReady = {
      type: "merge",
      body: { status: { conditions } },
      subresource: "status",
    } as const;
    await api.patch(PODS, { ...REF, name: "a" }, notReady);
    await waitUntil("a isn't ready", () =>
      endpoints(api).some(({ conditions }) => conditions?.ready === false),
    );
    const relabel = { type: "merge", body: { metadata: { labels: { app: "other" } } } } as const;
    await api.patch(PODS, { ...REF, name: "a" }, relabel);
    await waitUntil("a is gone", () => endpoints(api).length === 1);
    await api.delete(PODS, { ...REF, name: "b" }, { gracePeriodSeconds: 30 });
    await waitUntil("b ends", () => endpoints(api)[0]?.conditions?.terminating === true);
    await api.delete(PODS, { ...REF, name: "b" }, { gracePeriodSeconds: 0 });
    await waitUntil("b is gone", () => endpoints(api).length === 0);
    expect(api.peek(ENDPOINT_SLICES)).toHaveLength(1);
  });

  test("makes no second slice while the watch lags behind", async () => {
    const api = await start();
    await waitUntil("the empty slice", () => api.peek(ENDPOINT_SLICES).length === 1);
    await Promise.all(
      Array.from({ length: 30 }, (_, i) => addPod(api, `p${i}`, `192.0.2.${i + 1}`)),
    );
    await waitUntil("all endpoints", () => endpoints(api).length === 30);
    await waitUntil("one slice", () => api.peek(ENDPOINT_SLICES).length === 1);
  });

  test("leaves slices of others alone", async () => {
    const api = await start();
    const foreign: EndpointSlice = {
      metadata: { ...REF, name: "by-hand", labels: { "kubernetes.io/service-name": "web" } },
      addressType: "IPv4",
      endpoints: [{ addresses: ["192.0.2.99"] }],
    };
    await api.create(ENDPOINT_SLICES, foreign);
    await addPod(api, "a", "192.0.2.1");
    await waitUntil("a", () => endpoints(api).length === 2);
    expect(api.requests.filter(({ verb }) => verb === "delete").length).toBeLessThanOrEqual(1);
    expect(api.peek(ENDPOINT_SLICES).some((s) => s.metadata.name === "by-hand")).toBe(true);
  });
});
