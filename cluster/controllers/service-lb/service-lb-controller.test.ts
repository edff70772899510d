import { afterEach, expect, test } from "@jest/globals";
import { SERVICES } from "#cluster/api/resources.ts";
import { FakeApi } from "#cluster/client/testing/fake-api.ts";
import { startControllers } from "#cluster/client/testing/run-controllers.ts";
import type { RunningControllers } from "#cluster/client/testing/run-controllers.ts";
import { waitUntil } from "#cluster/client/testing/wait-until.ts";
import { runServiceLbController } from "./service-lb-controller.ts";

let running: RunningControllers | undefined;
afterEach(async () => {
  await running?.stop();
});

test("addresses are given out, released with the type, and given out again", async () => {
  const api = new FakeApi();
  running = startControllers(api, [(context) => runServiceLbController(context, "192.0.2.0/30")]);
  const addressOf = (name: string): string | undefined =>
    api.peek(SERVICES).find(({ metadata }) => metadata.name === name)?.status?.loadBalancer
      ?.ingress?.[0]?.ip;
  for (const name of ["a", "b", "c"]) {
    const metadata = { namespace: "default", name, creationTimestamp: `2026-01-01T00:00:0${name}` };
    await api.create(SERVICES, { metadata, spec: { type: "LoadBalancer" } });
  }
  await waitUntil(
    "two have addresses",
    () => addressOf("a") !== undefined && addressOf("b") !== undefined,
  );
  expect(addressOf("c")).toBeUndefined();
  const body = { spec: { type: "ClusterIP" } };
  await api.patch(SERVICES, { namespace: "default", name: "a" }, { type: "merge", body });
  await waitUntil("c has the freed one", () => addressOf("c") === "192.0.2.1");
  expect(addressOf("a")).toBeUndefined();
});
