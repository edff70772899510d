import { expect, test } from "@jest/globals";
import { problemEvents } from "./problem-events.ts";
import { EVENTS } from "#cluster/api/resources.ts";
import type { Resource } from "#cluster/api/resources.ts";
import { FakeApi } from "#cluster/client/testing/fake-api.ts";

const VIRTUAL_SERVICES: Resource = {
  group: "networking.istio.io",
  version: "v1",
  plural: "virtualservices",
  kind: "VirtualService",
  namespaced: true,
};

test("a problem becomes an Event of its object; one that has gone needs none", async () => {
  const api = new FakeApi();
  const web = await api.create(VIRTUAL_SERVICES, {
    apiVersion: "networking.istio.io/v1",
    kind: "VirtualService",
    metadata: { namespace: "default", name: "web" },
  });
  const logged: string[] = [];
  const { signal } = new AbortController();
  const log = (line: string) => void logged.push(line);
  const tell = problemEvents({ client: api, resources: [VIRTUAL_SERVICES], log, signal });
  const problem = { path: "spec.http[0]", reason: "NoDestination", message: "answered 503" };
  for (const object of [
    "VirtualService/default/gone",
    "Service/default/web",
    "VirtualService/default/web",
  ]) {
    await tell({ ...problem, object });
  }
  expect(api.peek(EVENTS)).toMatchObject([
    {
      involvedObject: { kind: "VirtualService", name: "web", uid: web.metadata.uid },
      type: "Warning",
      reason: "NoDestination",
      message: "spec.http[0]: answered 503",
    },
  ]);
  expect(logged).toEqual([]);
});
