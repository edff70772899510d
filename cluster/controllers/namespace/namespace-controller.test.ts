import { afterEach, describe, expect, test } from "@jest/globals";
import type { NamespaceCondition } from "#cluster/api/generated/core-v1.ts";
import type { Resource } from "#cluster/api/resources.ts";
import { CONFIG_MAPS, NAMESPACES, PODS, SECRETS } from "#cluster/api/resources.ts";
import { FakeApi } from "#cluster/client/testing/fake-api.ts";
import { startControllers } from "#cluster/client/testing/run-controllers.ts";
import type { RunningControllers } from "#cluster/client/testing/run-controllers.ts";
import { waitUntil } from "#cluster/client/testing/wait-until.ts";
import { runNamespaceController } from "./namespace-controller.ts";

let running: RunningControllers | undefined;
afterEach(async () => {
  await running?.stop();
});

const TOYS: Resource = {
  group: "example.org",
  version: "v1",
  plural: "toys",
  kind: "Toy",
  namespaced: true,
};

async function start(): Promise<FakeApi> {
  const api = new FakeApi();
  api.serve(TOYS);
  for (const name of ["going", "staying"]) await api.create(NAMESPACES, { metadata: { name } });
  running = startControllers(api, [runNamespaceController]);
  return api;
}

function condition(api: FakeApi, type: string): NamespaceCondition | undefined {
  const namespace = api.peek(NAMESPACES).find(({ metadata }) => metadata.name === "going");
  return namespace?.status?.conditions?.find((one) => one.type === type);
}

describe("namespace controller", () => {
  test("deletes all content, custom resources too, and then the namespace", async () => {
    const api = await start();
    for (const namespace of ["going", "staying"]) {
      await api.create(CONFIG_MAPS, { metadata: { namespace, name: "c" } });
      await api.create(TOYS, { metadata: { namespace, name: "bear" } });
    }
    await api.delete(NAMESPACES, { name: "going" });
    await waitUntil("gone", () => api.peek(NAMESPACES).length === 1);
    expect(api.peek(CONFIG_MAPS).map(({ metadata }) => metadata.namespace)).toEqual(["staying"]);
    expect(api.peek(TOYS).map(({ metadata }) => metadata.namespace)).toEqual(["staying"]);
  });

  test("waits for pods before the rest, and says so", async () => {
    const api = await start();
    await api.create(SECRETS, { metadata: { namespace: "going", name: "s" } });
    const pod = { namespace: "going", name: "p" };
    await api.create(PODS, { metadata: pod, spec: { nodeName: "n", containers: [{ name: "c" }] } });
    await api.delete(NAMESPACES, { name: "going" });
    await waitUntil(
      "condition",
      () => condition(api, "NamespaceContentRemaining")?.status === "True",
    );
    expect(condition(api, "NamespaceContentRemaining")).toMatchObject({
      reason: "SomeResourcesRemain",
      message: "Some resources are remaining: pods. has 1 resource instances",
    });
    expect(api.peek(SECRETS)).toHaveLength(1);
    await api.delete(PODS, pod, { gracePeriodSeconds: 0 });
    await waitUntil("gone", () => api.peek(NAMESPACES).length === 1);
    expect(api.peek(SECRETS)).toHaveLength(0);
  });

  test("names the finalizers that hold it", async () => {
    const api = await start();
    const held = { namespace: "going", name: "h", finalizers: ["example.org/hold"] };
    await api.create(TOYS, { metadata: held });
    await api.delete(NAMESPACES, { name: "going" });
    await waitUntil(
      "held",
      () => condition(api, "NamespaceFinalizersRemaining")?.status === "True",
    );
    expect(condition(api, "NamespaceFinalizersRemaining")?.message).toBe(
      "Some content in the namespace has finalizers remaining: example.org/hold in 1 resource instances",
    );
    const body = { metadata: { finalizers: null } };
    await api.patch(TOYS, held, { type: "merge", body });
    await waitUntil("gone", () => api.peek(NAMESPACES).length === 1);
  });
});
