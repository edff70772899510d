/** What injection promises of pods: probes, order, ends, ways around the proxy, the same from files. */

import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { loadAll } from "js-yaml";
import type { Pod } from "#cluster/api/generated/core-v1.ts";
import { KUBECTL, lateen, startCluster } from "./cluster.ts";
import type { TestCluster } from "./cluster.ts";
import {
  callFrom,
  echoDeployment,
  echoPod,
  manifest,
  namespaceWithPrograms,
  program,
  service,
} from "./echo.ts";
import { eventually } from "./eventually.ts";

const suite = KUBECTL === undefined ? describe.skip : describe;
const PROXY = "sidecar.istio.io/";
const CLASSIC = { [`${PROXY}nativeSidecar`]: "false" };
const HTTP = { name: "http", port: 80, targetPort: 8080 };

/** What the echo saw of a request. */
interface Echo {
  peer: string;
  headers: Record<string, string>;
}

type Annotations = Record<string, string>;

function pod(name: string, annotations: Annotations, spec: object): object {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace: "in", annotations, labels: { app: name } },
    spec,
  };
}

/** A container for each way to be asked. All ask the first one, but for the command. */
function probed(name: string, annotations: Annotations): object {
  const ways = {
    http: { httpGet: { path: "/health", port: 8080 } },
    moved: { httpGet: { path: "/moved", port: 8080 } },
    tcp: { tcpSocket: { port: 9000 } },
    grpc: { grpc: { port: 9001 } },
    exec: { exec: { command: ["/bin/sh", "-c", "! test -e /tmp/broken"] } },
  };
  const serving = echoPod(program("probed.mjs"));
  const containers = Object.entries(ways).map(([way, handler]) => ({
    ...serving.containers[0],
    name: way,
    ...(way !== "http" && { command: ["/bin/sleep", "600"] }),
    readinessProbe: { ...handler, periodSeconds: 1, failureThreshold: 1 },
  }));
  return pod(name, annotations, { ...serving, containers });
}

suite("injection", () => {
  let cluster: TestCluster;
  const ok = (...args: string[]): Promise<string> => cluster.kubectlOk(args);
  const apply = (...objects: object[]): Promise<string> =>
    cluster.kubectlOk(["apply", "-f", "-"], manifest(...objects));
  const read = async (name: string): Promise<Pod> =>
    JSON.parse(await ok("-n", "in", "get", "pod", name, "-o", "json")) as Pod;
  const ready = (name: string): Promise<string> =>
    ok("-n", "in", "wait", "--for=condition=Ready", `pod/${name}`, "--timeout=30s");
  const succeeded = (name: string): Promise<string> =>
    ok(
      "-n",
      "in",
      "wait",
      "--for=jsonpath={.status.phase}=Succeeded",
      `pod/${name}`,
      "--timeout=30s",
    );

  const call = async (from: string, url: string): Promise<Echo> => {
    const [answer] = await callFrom(cluster, from, [{ url }]);
    if (answer?.status !== 200) throw new Error(JSON.stringify(answer));
    return JSON.parse(answer.body ?? "{}") as Echo;
  };

  beforeAll(async () => {
    cluster = await startCluster("injection", []);
    await apply(
      ...namespaceWithPrograms("in", true),
      ...namespaceWithPrograms("out", false),
      echoDeployment({ namespace: "out", app: "echo" }),
      service("echo", "out", { app: "echo", ports: [HTTP] }),
    );
    await ok("-n", "out", "rollout", "status", "deploy/echo-v1", "--timeout=30s");
  }, 120_000);

  afterAll(async () => {
    await cluster.down();
  }, 120_000);

  test("probes of every kind tell the truth through the proxy, native and classic", async () => {
    await apply(probed("native", {}), probed("classic", CLASSIC));
    for (const name of ["native", "classic"]) {
      await ready(name);
      await ok("-n", "in", "exec", name, "-c", "http", "--", "touch", "/tmp/broken");
      await ok("-n", "in", "exec", name, "-c", "exec", "--", "touch", "/tmp/broken");
      await eventually(`${name}: what is broken is not ready`, 15_000, async () => {
        const { containerStatuses = [] } = (await read(name)).status ?? {};
        const notReady = containerStatuses.flatMap((one) => (one.ready ? [] : [one.name]));
        return notReady.toSorted().join() === "exec,grpc,http,tcp" || undefined;
      });
    }
    await ok("-n", "in", "delete", "pod", "native", "classic", "--grace-period=1", "--wait=false");
  }, 60_000);

  test("an app's first request is served, and pods end when their app does", async () => {
    const first = { CALL: "http://echo.out/" };
    const quit = { ...first, QUIT: "http://127.0.0.1:15020/quitquitquit" };
    const once = { restartPolicy: "Never" };
    const hold = { ...CLASSIC, "proxy.istio.io/config": "holdApplicationUntilProxyStarts: true" };
    const run = (env: Annotations): object => ({ ...echoPod(program("probed.mjs"), env), ...once });
    await apply(pod("job", {}, run({ ...first, QUIT: "" })), pod("held", hold, run(quit)));
    for (const name of ["job", "held"]) {
      await succeeded(name);
      expect(await ok("-n", "in", "logs", name, "-c", "app")).toBe("first call 200\n");
    }
    const { containers } = (await read("held")).spec ?? {};
    expect(containers?.map(({ name }) => name)).toEqual(["istio-proxy", "app"]);
  }, 60_000);

  test("excluded ports and networks go around the proxy, in both directions", async () => {
    const path = "jsonpath={.spec.clusterIP}";
    const address = await ok("-n", "out", "get", "service", "echo", "-o", path);
    const traffic = "traffic.sidecar.istio.io/";
    const ways: [string, Annotations][] = [
      ["through", {}],
      ["port-out", { [`${traffic}excludeOutboundPorts`]: "80" }],
      ["net-out", { [`${traffic}excludeOutboundIPRanges`]: `${address}/32` }],
      ["port-in", { [`${traffic}excludeInboundPorts`]: "8080" }],
      ["none-out", { [`${traffic}includeOutboundIPRanges`]: "" }],
    ];
    await apply(...ways.map(([name, more]) => pod(name, more, echoPod())));
    const seen: Record<string, [outward: boolean, inward: boolean]> = {};
    for (const [name] of ways) {
      await ready(name);
      const outward = await call(`in/pod/${name}`, "http://echo.out/");
      const podIp = (await read(name)).status?.podIP ?? "";
      const inward = await call("out/echo-v1", `http://${podIp}:8080/`);
      // Outward Envoy marks requests; inward it comes from an address of its own.
      const peer = inward.peer.replace("::ffff:", "");
      seen[name] = [outward.headers["x-request-id"] !== undefined, peer === "127.0.0.6"];
    }
    expect(seen).toEqual({
      through: [true, true],
      "port-out": [false, true],
      "net-out": [false, true],
      "port-in": [true, false],
      "none-out": [false, true],
    });
  }, 60_000);

  test("an app's metrics stand beside the proxy's", async () => {
    const prometheus = { "prometheus.io/scrape": "true", "prometheus.io/port": "8080" };
    await apply(pod("metrics", prometheus, echoPod(program("probed.mjs"))));
    await ready("metrics");
    const { metadata, status } = await read("metrics");
    expect(metadata.annotations?.["prometheus.io/port"]).toBe("15020");
    const text = await eventually("metrics of both", 10_000, async () => {
      const page = await fetch(`http://${status?.podIP}:15020/stats/prometheus`);
      const body = await page.text();
      return body.includes("app_metric 42") ? body : undefined;
    });
    expect(text).toContain("envoy_server_uptime");
    const quit = { method: "POST" };
    expect((await fetch(`http://${status?.podIP}:15020/quitquitquit`, quit)).status).toBe(404);
  }, 30_000);

  test("a file that is injected first makes the pod that the webhook makes", async () => {
    const deployment = manifest(echoDeployment({ namespace: "in", app: "twice" }));
    const shape = async (): Promise<unknown> => {
      await ok("-n", "in", "rollout", "status", "deploy/twice-v1", "--timeout=30s");
      const selector = ["-l", "app=twice", "--field-selector=status.phase=Running", "-o", "json"];
      const text = await ok("-n", "in", "get", "pods", ...selector);
      const { items } = JSON.parse(text) as { items: Pod[] };
      const newest = items.toSorted((a, b) =>
        (a.metadata.creationTimestamp ?? "") < (b.metadata.creationTimestamp ?? "") ? 1 : -1,
      );
      return comparable(newest[0]);
    };
    await cluster.kubectlOk(["apply", "-f", "-"], deployment);
    const byWebhook = await shape();
    await ok("-n", "in", "delete", "deploy", "twice-v1", "--cascade=foreground", "--timeout=30s");
    const { stdout, code } = await lateen(["inject", "-f", "-"], { input: deployment });
    expect(code).toBe(0);
    await cluster.kubectlOk(["apply", "-f", "-"], stdout);
    expect(await shape()).toEqual(byWebhook);
  }, 60_000);

  test("what lateen manifest prints is accepted, as far as the kinds exist here", async () => {
    const { stdout } = await lateen(["manifest", "--revision", "canary"]);
    const served = await ok("api-resources", "--no-headers");
    const kinds = new Set(served.split("\n").map((line) => line.trim().split(/\s+/).at(-1)));
    const objects = loadAll(stdout) as { kind: string }[];
    // The validating webhook is here already, at an address instead of a Service: that can't merge.
    const apart = "ValidatingWebhookConfiguration";
    const known = objects.filter(({ kind }) => kinds.has(kind) && kind !== apart);
    expect(known.length).toBeGreaterThan(20);
    const dryRun = ["apply", "--dry-run=server", "-f", "-"];
    const told = await cluster.kubectlOk(dryRun, manifest(...known));
    expect(told.trim().split("\n")).toHaveLength(known.length);
  }, 30_000);
});

/** Without what differs from pod to pod. */
function comparable(from: Pod | undefined): unknown {
  const { metadata, spec } = from ?? {};
  const hash = metadata?.labels?.["pod-template-hash"] ?? "?";
  const text = JSON.stringify({
    labels: metadata?.labels,
    annotations: metadata?.annotations,
    initContainers: spec?.initContainers,
    containers: spec?.containers,
    volumes: spec?.volumes,
  });
  return JSON.parse(
    text.replaceAll(hash, "HASH").replaceAll(/kube-api-access-\w+/g, "TOKEN"),
  ) as unknown;
}
