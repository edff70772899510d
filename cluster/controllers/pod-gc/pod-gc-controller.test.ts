import { afterEach, describe, expect, test } from "@jest/globals";
import { NODES, PODS } from "#cluster/api/resources.ts";
import { FakeApi } from "#cluster/client/testing/fake-api.ts";
import { startControllers } from "#cluster/client/testing/run-controllers.ts";
import type { RunningControllers } from "#cluster/client/testing/run-controllers.ts";
import { waitUntil } from "#cluster/client/testing/wait-until.ts";
import { runPodGcController } from "./pod-gc-controller.ts";

let running: RunningControllers | undefined;
afterEach(async () => {
  await running?.stop();
});

async function add(api: FakeApi, name: string, nodeName: string, phase: string): Promise<void> {
  const metadata = { namespace: "default", name, creationTimestamp: `2026-01-01T00:00:0${name}Z` };
  const spec = { nodeName, containers: [{ name: "c" }] };
  await api.create(PODS, { metadata, spec, status: { phase } });
}

function names(api: FakeApi): string {
  return api
    .peek(PODS)
    .map(({ metadata }) => metadata.name)
    .join(" ");
}

describe("pod garbage collector", () => {
  test("removes the pods of a node that has gone", async () => {
    const api = new FakeApi();
    for (const name of ["n1", "n2"]) await api.create(NODES, { metadata: { name } });
    await add(api, "1", "n1", "Running");
    await add(api, "2", "n2", "Running");
    running = startControllers(api, [runPodGcController]);
    await waitUntil(
      "it watches",
      () => api.requests.filter(({ verb }) => verb === "watch").length === 2,
    );
    await api.delete(NODES, { name: "n1" });
    await waitUntil("removed", () => names(api) === "2");
    const failed = api.requests.find(({ subresource }) => subresource === "status");
    expect(JSON.stringify(failed?.body)).toContain("DeletionByPodGC");
  });

  test("keeps no more ended pods than the bound, the newest", async () => {
    const api = new FakeApi();
    await api.create(NODES, { metadata: { name: "n1" } });
    for (const name of ["1", "2", "3"]) await add(api, name, "n1", "Succeeded");
    await add(api, "0", "n1", "Running");
    running = startControllers(api, [(context) => runPodGcController(context, 1)]);
    await waitUntil("two are gone", () => names(api) === "0 3");
  });
});
