import { afterEach, describe, expect, test } from "@jest/globals";
import type { Pod } from "#cluster/api/generated/core-v1.ts";
import { ENDPOINTS, PODS, SERVICES } from "#cluster/api/resources.ts";
import { FakeApi } from "#cluster/client/testing/fake-api.ts";
import { startControllers } from "#cluster/client/testing/run-controllers.ts";
import type { RunningControllers } from "#cluster/client/testing/run-controllers.ts";
import { waitUntil } from "#cluster/client/testing/wait-until.ts";
import { buildSubsets } from "./build-subsets.ts";
import { runEndpointsController } from "./endpoints-controller.ts";

let running: RunningControllers | undefined;
afterEach(async () => {
  await running?.stop();
  running = undefined;
});

const REF = { namespace: "default", name: "web" };
const SERVICE = {
  metadata: REF,
  spec: { selector: { app: "web" }, ports: [{ name: "http", port: 80, targetPort: 8080 }] },
};

function pod(name: string, ip: string, ready: boolean): Pod {
  return {
    metadata: { ...REF, name, uid: name, labels: { app: "web" } },
    spec: { nodeName: "n1", containers: [{ name: "c" }] },
    status: { podIP: ip, conditions: [{ type: "Ready", status: ready ? "True" : "False" }] },
  };
}

describe("endpoints", () => {
  test("ready and other addresses are apart, in order", () => {
    const pods = [
      pod("c", "192.0.2.3", true),
      pod("b", "192.0.2.2", false),
      pod("a", "192.0.2.1", true),
    ];
    expect(buildSubsets(SERVICE, pods)).toMatchObject([
      {
        ports: [{ name: "http", port: 8080, protocol: "TCP" }],
        addresses: [{ ip: "192.0.2.1", targetRef: { name: "a" } }, { ip: "192.0.2.3" }],
        notReadyAddresses: [{ ip: "192.0.2.2" }],
      },
    ]);
  });

  test("come, follow and go with the service", async () => {
    const api = new FakeApi();
    await api.create(SERVICES, SERVICE);
    await api.create(PODS, pod("a", "192.0.2.1", true));
    await api.create(ENDPOINTS, { metadata: { ...REF, name: "by-hand" } });
    running = startControllers(api, [runEndpointsController]);
    await waitUntil("one address", () =>
      api.peek(ENDPOINTS).some(({ subsets }) => subsets?.[0]?.addresses?.length === 1),
    );
    await api.delete(SERVICES, REF);
    await waitUntil("gone", () => api.peek(ENDPOINTS).length === 1);
    expect(api.peek(ENDPOINTS)[0]?.metadata.name).toBe("by-hand");
  });
});
