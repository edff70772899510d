import { afterAll, beforeAll, describe, expect, jest, test } from "@jest/globals";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { Pod } from "#cluster/api/generated/core-v1.ts";
import { CONFIG_MAPS, LEASES, NODES, PODS, SECRETS } from "#cluster/api/resources.ts";
import { waitUntil } from "#cluster/client/testing/wait-until.ts";
import { execToEnd } from "#cluster/runtime/exec.ts";
import { missingForContainers } from "#cluster/runtime/testing/runtime-fixture.ts";
import { type KubeletFixture, createKubeletFixture, shell } from "./testing/kubelet-fixture.ts";

jest.setTimeout(30_000);

const missing = await missingForContainers();
if (missing !== undefined) process.stderr.write(`the kubelet's pods are skipped: ${missing}\n`);
const describeReal = missing === undefined ? describe : describe.skip;

const isReady = (pod: Pod): boolean =>
  pod.status?.conditions?.some(({ type, status }) => type === "Ready" && status === "True") ??
  false;

describeReal("kubelet", () => {
  let fixture: KubeletFixture;

  beforeAll(async () => {
    fixture = await createKubeletFixture();
  });
  afterAll(() => fixture.close());

  async function remove(name: string): Promise<void> {
    await fixture.api.delete(PODS, { namespace: "default", name }, { gracePeriodSeconds: 1 });
    await waitUntil(`${name} gone`, () => fixture.pod(name) === undefined, 15_000);
  }

  async function inContainer(pod: string, container: string, script: string): Promise<string> {
    const { containers, ...runtime } = fixture.kubelet.context.runtime;
    const uid = fixture.pod(pod)?.metadata.uid ?? "";
    const status = containers
      .ofPod(uid)
      .find(({ identity, state }) => identity.name === container && state === "running");
    const target = runtime.execTarget(status?.id ?? "");
    return (await execToEnd(target, ["sh", "-c", script], 5000)).output;
  }

  test("the node registers with its lease", () => {
    const [node] = fixture.api.peek(NODES);
    expect(node?.status?.conditions?.find(({ type }) => type === "Ready")?.status).toBe("True");
    expect(node?.metadata.labels).toMatchObject({ "kubernetes.io/hostname": "node-1" });
    expect(fixture.api.peek(LEASES)[0]?.spec).toMatchObject({ holderIdentity: "node-1" });
  });

  test("a pod runs, is ready, and goes with its grace", async () => {
    const startedMs = Date.now();
    await fixture.createPod("plain");
    const pod = await fixture.waitFor("plain", "ready", isReady);
    process.stderr.write(`pod start: ${Date.now() - startedMs} ms\n`);
    expect(pod.status).toMatchObject({
      phase: "Running",
      podIP: "127.0.0.1",
      hostIP: "127.0.0.1",
      qosClass: "BestEffort",
      containerStatuses: [
        { name: "main", ready: true, started: true, restartCount: 0, state: { running: {} } },
      ],
    });
    expect(pod.status?.conditions?.map(({ type, status }) => `${type}=${status}`)).toEqual([
      "PodReadyToStartContainers=True",
      "Initialized=True",
      "Ready=True",
      "ContainersReady=True",
      "PodScheduled=True",
    ]);
    await remove("plain");
    expect(fixture.eventsOf("plain")).toEqual([
      'Pulled: Container image "example.org/host:1" already present on machine',
      "Created: Container created",
      "Started: Container started",
      "Killing: Stopping container main",
    ]);
    expect(fixture.kubelet.context.runtime.containers.list()).toEqual([]);
  });

  test("init containers run in order, a sidecar goes with the main containers", async () => {
    const volumeMounts = [{ name: "shared", mountPath: "/shared" }];
    await fixture.createPod("ordered", {
      restartPolicy: "Never",
      volumes: [{ name: "shared", emptyDir: {} }],
      initContainers: [
        shell("first", "echo first >> /shared/order", { volumeMounts }),
        shell(
          "sidecar",
          "echo sidecar >> /shared/order; trap 'exit 0' TERM; while :; do sleep 0.05; done",
          {
            restartPolicy: "Always",
            volumeMounts,
            startupProbe: { exec: { command: ["test", "-s", "/shared/order"] } },
          },
        ),
        shell("last", "echo last >> /shared/order", { volumeMounts }),
      ],
      containers: [
        shell("main", "cat /shared/order > /dev/termination-log; sleep 0.3", { volumeMounts }),
      ],
    });
    const pod = await fixture.waitFor(
      "ordered",
      "succeeded",
      ({ status }) => status?.phase === "Succeeded",
    );
    expect(pod.status?.containerStatuses?.[0]?.state?.terminated).toMatchObject({
      exitCode: 0,
      reason: "Completed",
      message: "first\nsidecar\nlast\n",
    });
    expect(pod.status?.initContainerStatuses?.[1]?.state?.terminated?.exitCode).toBe(0);
    await remove("ordered");
  });

  test("a container that fails is restarted at once, then backs off", async () => {
    await fixture.createPod("crashing", { containers: [shell("main", "exit 3")] });
    const pod = await fixture.waitFor("crashing", "in back-off", ({ status }) => {
      return status?.containerStatuses?.[0]?.state?.waiting?.reason === "CrashLoopBackOff";
    });
    expect(pod.status?.phase).toBe("Running");
    expect(pod.status?.containerStatuses?.[0]).toMatchObject({
      restartCount: 1,
      ready: false,
      lastState: { terminated: { exitCode: 3, reason: "Error" } },
      state: {
        waiting: {
          message: expect.stringMatching(
            /^back-off 10s restarting failed container=main pod=crashing_default\(/,
          ),
        },
      },
    });
    await remove("crashing");
  });

  test("a missing image is told with its reason", async () => {
    await fixture.createPod("no-image", {
      containers: [{ name: "main", image: "127.0.0.1:2/nosuch:1" }],
    });
    await fixture.waitFor("no-image", "ErrImagePull", ({ status }) => {
      return status?.containerStatuses?.[0]?.state?.waiting?.reason === "ErrImagePull";
    });
    await waitUntil("event", () => fixture.eventsOf("no-image").length >= 3);
    expect(fixture.eventsOf("no-image").join("\n")).toMatch(
      /Failed: Failed to pull image "127.0.0.1:2\/nosuch:1": .*ECONNREFUSED/,
    );
    await remove("no-image");
  });

  test("volumes and variables come from ConfigMaps and Secrets, and files follow changes", async () => {
    const at = { namespace: "default", name: "settings" };
    await fixture.createPod("configured", {
      volumes: [
        { name: "files", configMap: { name: "settings" } },
        {
          name: "all",
          projected: {
            sources: [
              { serviceAccountToken: { path: "token" } },
              {
                downwardAPI: {
                  items: [{ path: "labels", fieldRef: { fieldPath: "metadata.labels" } }],
                },
              },
            ],
          },
        },
      ],
      containers: [
        shell("main", "echo $GREETING $SECRET $POD $(GREETING)-x; sleep 3600", {
          env: [
            { name: "GREETING", valueFrom: { configMapKeyRef: { name: "settings", key: "text" } } },
            { name: "SECRET", valueFrom: { secretKeyRef: { name: "hidden", key: "word" } } },
            { name: "POD", valueFrom: { fieldRef: { fieldPath: "metadata.name" } } },
          ],
          volumeMounts: [
            { name: "files", mountPath: "/files" },
            { name: "all", mountPath: "/all", readOnly: true },
            { name: "files", mountPath: "/one/text", subPath: "text" },
          ],
        }),
      ],
    });
    await waitUntil("FailedMount", () =>
      fixture
        .eventsOf("configured")
        .some((event) =>
          event.includes(
            'MountVolume.SetUp failed for volume "files" : configmap "settings" not found',
          ),
        ),
    );
    await fixture.api.create(SECRETS, {
      metadata: { namespace: "default", name: "hidden" },
      data: { word: Buffer.from("psst").toString("base64") },
    });
    await fixture.api.create(CONFIG_MAPS, { metadata: at, data: { text: "hello" } });
    await fixture.waitFor("configured", "ready", isReady);
    const seen = await inContainer(
      "configured",
      "main",
      "cat /files/text /one/text /all/token /all/labels; tr '\\0' '\\n' < /proc/1/environ | grep -E '^(GREETING|SECRET|POD)='",
    );
    expect(seen).toContain("hellohellotoken-of-default");
    expect(seen).toContain('app="configured"');
    expect(seen).toContain("GREETING=hello\nSECRET=psst\nPOD=configured");
    await fixture.api.patch(CONFIG_MAPS, at, {
      type: "merge",
      body: { data: { text: "changed" } },
    });
    await waitUntil("changed file", async () =>
      (await inContainer("configured", "main", "cat /files/text")).includes("changed"),
    );
    await remove("configured");
  });

  test("probes decide readiness and restarts; a new agent changes neither", async () => {
    let healthy = true;
    const server = createServer((_request, response) => {
      response.writeHead(healthy ? 200 : 503).end();
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const port = (server.address() as AddressInfo).port;
    const httpGet = { path: "/", port };
    await fixture.createPod("probed", {
      containers: [
        shell("main", "sleep 3600", {
          readinessProbe: { httpGet, periodSeconds: 1, failureThreshold: 1 },
          livenessProbe: { httpGet, periodSeconds: 1, failureThreshold: 3 },
        }),
      ],
      terminationGracePeriodSeconds: 1,
    });
    await fixture.waitFor("probed", "ready", isReady);
    const before = fixture.pod("probed");
    const patches = fixture.api.requests.filter(
      ({ verb, name }) => verb === "patch" && name === "probed",
    ).length;
    await fixture.restart();
    await waitUntil(
      "probes go on",
      () => fixture.kubelet.workers.find("default", "probed") !== undefined,
    );
    expect(fixture.pod("probed")?.status).toEqual(before?.status);
    expect(
      fixture.api.requests.filter(({ verb, name }) => verb === "patch" && name === "probed").length,
    ).toBe(patches);
    healthy = false;
    await fixture.waitFor("probed", "not ready", (pod) => !isReady(pod));
    await fixture.waitFor("probed", "restarted", ({ status }) => {
      return status?.containerStatuses?.[0]?.restartCount === 1;
    });
    expect(fixture.eventsOf("probed").join("\n")).toContain(
      "Killing: Container main failed liveness probe, will be restarted",
    );
    healthy = true;
    await fixture.waitFor("probed", "ready again", isReady);
    server.close();
    await remove("probed");
  });
});
