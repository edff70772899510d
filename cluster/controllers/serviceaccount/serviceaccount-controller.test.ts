import { afterEach, expect, test } from "@jest/globals";
import { CONFIG_MAPS, NAMESPACES, SERVICE_ACCOUNTS } from "#cluster/api/resources.ts";
import { FakeApi } from "#cluster/client/testing/fake-api.ts";
import { startControllers } from "#cluster/client/testing/run-controllers.ts";
import type { RunningControllers } from "#cluster/client/testing/run-controllers.ts";
import { waitUntil } from "#cluster/client/testing/wait-until.ts";
import { runServiceAccountController } from "./serviceaccount-controller.ts";

let running: RunningControllers | undefined;
afterEach(async () => {
  await running?.stop();
});

test("every namespace has its account and the root certificate, and gets them back", async () => {
  const api = new FakeApi();
  await api.create(NAMESPACES, { metadata: { name: "default" } });
  running = startControllers(api, [(context) => runServiceAccountController(context, "PEM")]);
  await api.create(NAMESPACES, { metadata: { name: "other" } });
  const present = (): number =>
    api.peek(SERVICE_ACCOUNTS).length +
    api.peek(CONFIG_MAPS).filter(({ data }) => data?.["ca.crt"] === "PEM").length;
  await waitUntil("both have both", () => present() === 4);
  const ref = { namespace: "other", name: "kube-root-ca.crt" };
  const body = { data: { "ca.crt": "forged", more: "x" } };
  await api.patch(CONFIG_MAPS, ref, { type: "merge", body });
  await waitUntil("repaired", () => present() === 4);
  expect(api.peek(CONFIG_MAPS, "other")[0]?.data).toEqual({ "ca.crt": "PEM" });
  await api.delete(SERVICE_ACCOUNTS, { namespace: "other", name: "default" });
  await waitUntil("back", () => present() === 4);
});

test("a namespace that ends gets nothing", async () => {
  const api = new FakeApi();
  await api.create(NAMESPACES, { metadata: { name: "going" } });
  await api.delete(NAMESPACES, { name: "going" });
  running = startControllers(api, [(context) => runServiceAccountController(context, "PEM")]);
  await api.create(NAMESPACES, { metadata: { name: "other" } });
  await waitUntil("other has its account", () => api.peek(SERVICE_ACCOUNTS, "other").length === 1);
  expect(api.peek(SERVICE_ACCOUNTS, "going")).toEqual([]);
});
