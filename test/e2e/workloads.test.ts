/** What becomes of pods, Deployments, Services and nodes, as Kubernetes' users expect it. */

import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import type { Pod } from "#cluster/api/generated/core-v1.ts";
import { KUBECTL, startCluster } from "./cluster.ts";
import type { TestCluster } from "./cluster.ts";
import { eventually } from "./eventually.ts";

const suite = KUBECTL === undefined ? describe.skip : describe;
const IMAGE = "lateen.dev/bookinfo-details:1";

interface TestContainer {
  name: string;
  [field: string]: unknown;
}

/** A container that runs a shell script. */
function shell(name: string, script: string, more: object = {}): TestContainer {
  return { name, image: IMAGE, command: ["sh", "-c", script], ...more };
}

function pod(name: string, spec: object): object {
  const metadata = { name, labels: { suite: "pods" } };
  return { apiVersion: "v1", kind: "Pod", metadata, spec: { ...ENDS_SOON, ...spec } };
}

const ENDS_SOON = { terminationGracePeriodSeconds: 1 };
const NEVER = { restartPolicy: "Never" };
const SLEEP = "sleep 3600";
const GUARANTEED = { resources: { limits: { cpu: "100m", memory: "32Mi" } } };

/** Each pod and what `kubectl get pods` shows of it in the end: READY and STATUS. */
const FATES: readonly [spec: object, ready: string, status: RegExp][] = [
  [pod("done", { ...NEVER, containers: [shell("a", "exit 0")] }), "0/1", /Completed/],
  [pod("failed", { ...NEVER, containers: [shell("a", "exit 3")] }), "0/1", /Error/],
  [pod("crashes", { containers: [shell("a", "exit 3")] }), "0/1", /CrashLoopBackOff/],
  [
    pod("init", {
      initContainers: [shell("i", "exit 3")],
      containers: [shell("a", SLEEP)],
    }),
    "0/1",
    /Init:(Error|CrashLoopBackOff)/,
  ],
  [
    pod("init-never", {
      ...NEVER,
      initContainers: [shell("i", "exit 3")],
      containers: [shell("a", SLEEP)],
    }),
    "0/1",
    /Init:Error/,
  ],
  [
    pod("memory", {
      ...NEVER,
      containers: [shell("a", "exec python3 -c 'bytearray(1 << 28)'", GUARANTEED)],
    }),
    "0/1",
    /OOMKilled/,
  ],
  [
    pod("sidecar", {
      ...NEVER,
      initContainers: [
        shell("proxy", "trap 'exit 0' TERM; while :; do sleep 0.1; done", {
          restartPolicy: "Always",
        }),
      ],
      containers: [shell("a", "exit 0")],
    }),
    "0/2",
    /Completed/,
  ],
  [pod("guaranteed", { containers: [shell("a", SLEEP, GUARANTEED)] }), "1/1", /Running/],
  [
    pod("privileged", {
      containers: [shell("a", SLEEP, { securityContext: { privileged: true } })],
    }),
    "1/1",
    /Running/,
  ],
  [
    pod("root", {
      containers: [shell("a", SLEEP, { securityContext: { runAsUser: 0, runAsNonRoot: true } })],
    }),
    "0/1",
    /CreateContainerConfigError/,
  ],
  [
    pod("no-config", {
      containers: [shell("a", SLEEP, { envFrom: [{ configMapRef: { name: "none" } }] })],
    }),
    "0/1",
    /CreateContainerConfigError/,
  ],
  [
    pod("no-volume", {
      containers: [shell("a", SLEEP)],
      volumes: [{ name: "v", secret: { secretName: "none" } }],
    }),
    "0/1",
    /ContainerCreating/,
  ],
  [
    pod("bad-name", { containers: [{ name: "a", image: "UPPER/CASE" }] }),
    "0/1",
    /InvalidImageName/,
  ],
  [
    pod("never-pulled", {
      containers: [{ name: "a", image: "example.org/none:1", imagePullPolicy: "Never" }],
    }),
    "0/1",
    /ErrImageNeverPull/,
  ],
  [
    pod("big", { containers: [shell("a", SLEEP, { resources: { requests: { cpu: "64" } } })] }),
    "0/1",
    /Pending/,
  ],
];

const READY = { httpGet: { path: "/health", port: 9080 }, periodSeconds: 1 };

function web(image: string): object {
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: "web" },
    spec: {
      replicas: 3,
      progressDeadlineSeconds: 4,
      strategy: { rollingUpdate: { maxUnavailable: 1, maxSurge: 1 } },
      selector: { matchLabels: { app: "web" } },
      template: {
        metadata: { labels: { app: "web" } },
        spec: { ...ENDS_SOON, containers: [{ name: "web", image, readinessProbe: READY }] },
      },
    },
  };
}

suite("workloads", () => {
  let cluster: TestCluster;
  const ok = (...args: string[]): Promise<string> => cluster.kubectlOk(args);
  const apply = (...objects: object[]): Promise<string> =>
    cluster.kubectlOk(
      ["apply", "-f", "-"],
      JSON.stringify({ apiVersion: "v1", kind: "List", items: objects }),
    );
  const events = (name: string): Promise<string> =>
    ok("get", "events", "--field-selector", `involvedObject.name=${name}`);
  const available = (): Promise<string> =>
    ok("get", "deploy", "web", "-o", "jsonpath={.status.availableReplicas}");

  beforeAll(async () => {
    cluster = await startCluster("workloads", ["--nodes", "2"]);
  }, 120_000);

  afterAll(async () => {
    await cluster.down();
  }, 120_000);

  test("pods come to the end that their containers have, under Kubernetes' names", async () => {
    await apply(...FATES.map(([object]) => object));
    for (const [object, ready, status] of FATES) {
      const { name } = (object as Pod).metadata;
      await eventually(`${name} ${ready} ${String(status)}`, 20_000, async () => {
        const [, readyNow, statusNow = ""] = (await ok("get", "pod", name, "--no-headers")).split(
          /\s+/,
        );
        return readyNow === ready && status.test(statusNow);
      });
    }
    expect(await events("big")).toContain("0/2 nodes are available: 2 Insufficient cpu.");
    expect(await events("no-volume")).toMatch(/FailedMount.*secret "none" not found/);
    expect(await events("no-config")).toContain('configmap "none" not found');
    expect(await events("crashes")).toMatch(/BackOff.*restarting failed container a/);
    // What was missing comes: the pods go on by themselves.
    await ok("create", "configmap", "none");
    await ok("create", "secret", "generic", "none");
    const both = ["pod/no-config", "pod/no-volume"];
    await ok("wait", "--for=condition=Ready", ...both, "--timeout=20s");
    await ok("delete", "pods", "-l", "suite=pods", "--timeout=30s");
  }, 120_000);

  test("a container sees its own world only, and leaves nothing in the host's", async () => {
    const look =
      "cat /etc/shadow; ls /root /home | grep -v :; ls /tmp; ls /proc | grep -c '^[0-9]'; touch /usr/lateen-e2e";
    const rooted = { securityContext: { runAsUser: 0 } };
    await apply(pod("looks", { ...NEVER, containers: [shell("a", look, rooted)] }));
    await ok("wait", "--for=jsonpath={.status.phase}=Succeeded", "pod/looks", "--timeout=20s");
    const [shadow, ...seen] = (await ok("logs", "looks")).trim().split("\n").filter(Boolean);
    expect(shadow).toContain("No such file");
    expect(seen.map(Number)).toEqual([expect.any(Number)]);
    expect(Number(seen[0])).toBeLessThan(8);
    const again = pod("again", {
      ...NEVER,
      containers: [shell("a", "ls /usr/lateen-e2e", rooted)],
    });
    await apply(again);
    await ok("wait", "--for=jsonpath={.status.phase}=Failed", "pod/again", "--timeout=20s");
    await ok("delete", "pod", "looks", "again");
  }, 60_000);

  test("a liveness probe restarts, and hooks run before and after", async () => {
    const probe = { exec: { command: ["cat", "/tmp/ok"] }, periodSeconds: 1, failureThreshold: 1 };
    const run = (script: string): object => ({ exec: { command: ["sh", "-c", script] } });
    await apply(
      pod("probed", {
        containers: [
          shell("a", "touch /tmp/ok; sleep 2; rm /tmp/ok; sleep 3600", { livenessProbe: probe }),
          shell("b", SLEEP, {
            lifecycle: {
              postStart: run("echo started > /proc/1/fd/1"),
              preStop: run("echo stopping > /proc/1/fd/1"),
            },
          }),
        ],
      }),
    );
    await eventually("a restart", 20_000, async () => {
      const path = "jsonpath={.status.containerStatuses[0].restartCount}";
      return Number(await ok("get", "pod", "probed", "-o", path)) > 0;
    });
    expect(await events("probed")).toMatch(/failed liveness probe, will be restarted/);
    const logs = cluster.kubectl(["logs", "-f", "probed", "-c", "b"]);
    await ok("delete", "pod", "probed");
    expect((await logs).stdout).toBe("started\nstopping\n");
  }, 60_000);

  test("a rollout that can't go on keeps what works, says so, and is undone", async () => {
    await apply(web(IMAGE));
    await ok("rollout", "status", "deploy/web", "--timeout=30s");
    await apply(web("UPPER/CASE"));
    const status = await cluster.kubectl(["rollout", "status", "deploy/web", "--timeout=30s"]);
    expect(status).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("exceeded its progress deadline"),
    });
    expect(Number(await available())).toBeGreaterThanOrEqual(2);
    await ok("rollout", "undo", "deploy/web");
    // As in Kubernetes, the condition tells of the rollout before until the first pod is replaced.
    await ok("wait", "--for=condition=Progressing", "deploy/web", "--timeout=10s");
    await ok("rollout", "status", "deploy/web", "--timeout=30s");
    expect(await available()).toBe("3");
  }, 90_000);

  test("orphans are adopted; foreground deletion and namespaces take what they hold", async () => {
    const replicaSet = (): Promise<string> =>
      ok(
        "get",
        "rs",
        "-l",
        "app=web",
        "-o",
        "jsonpath={.items[?(@.status.replicas==3)].metadata.name}",
      );
    const before = await replicaSet();
    await ok("delete", "deploy", "web", "--cascade=orphan");
    expect(await replicaSet()).toBe(before);
    await apply(web(IMAGE));
    await ok("rollout", "status", "deploy/web", "--timeout=30s");
    expect(await replicaSet()).toBe(before);
    await ok("create", "namespace", "short");
    await ok("create", "deployment", "inner", `--image=${IMAGE}`, "-n", "short");
    await ok("rollout", "status", "deploy/inner", "-n", "short", "--timeout=30s");
    await ok("delete", "namespace", "short", "--timeout=30s");
    await ok("create", "deployment", "brief", `--image=${IMAGE}`);
    await ok("rollout", "status", "deploy/brief", "--timeout=30s");
    await ok("delete", "deploy", "brief", "--cascade=foreground", "--timeout=40s");
    expect(await ok("get", "rs,pods", "-l", "app=brief", "-o", "name")).toBe("");
  }, 120_000);

  test("Services answer at every kind of address, also with endpoints kept by hand", async () => {
    await ok("expose", "deploy", "web", "--port=80", "--target-port=9080", "--type=LoadBalancer");
    const field = (name: string, path: string): Promise<string> =>
      ok("get", "svc", name, "-o", `jsonpath={${path}}`);
    const answers = (what: string, at: string): Promise<true> =>
      eventually(what, 10_000, async () => (await fetch(`http://${at}/health`)).ok || undefined);
    const nodePort = await field("web", ".spec.ports[0].nodePort");
    const nodeIp = await ok(
      "get",
      "node",
      "node-2",
      "-o",
      "jsonpath={.status.addresses[0].address}",
    );
    await answers("cluster address", await field("web", ".spec.clusterIP"));
    await answers("node port", `${nodeIp}:${nodePort}`);
    await answers("load balancer", await field("web", ".status.loadBalancer.ingress[0].ip"));
    const podIp = await ok(
      "get",
      "pods",
      "-l",
      "app=web",
      "-o",
      "jsonpath={.items[0].status.podIP}",
    );
    const metadata = { name: "by-hand" };
    const subsets = [{ addresses: [{ ip: podIp }], ports: [{ port: 9080 }] }];
    await apply(
      { apiVersion: "v1", kind: "Service", metadata, spec: { ports: [{ port: 80 }] } },
      { apiVersion: "v1", kind: "Endpoints", metadata, subsets },
    );
    await answers("endpoints kept by hand", await field("by-hand", ".spec.clusterIP"));
  }, 60_000);

  test("names resolve in pods: addresses, ports, headless hosts, aliases, the way back", async () => {
    await ok("create", "service", "externalname", "away", "--external-name=away.example.org");
    const ports = [{ name: "http", port: 9080 }];
    await apply(
      {
        apiVersion: "v1",
        kind: "Service",
        metadata: { name: "peers" },
        spec: { clusterIP: "None", selector: { app: "peers" }, ports },
      },
      pod("first", { hostname: "one", subdomain: "peers", containers: [shell("a", SLEEP)] }),
    );
    await ok("label", "pod", "first", "app=peers");
    await ok("wait", "--for=condition=Ready", "pod/first", "--timeout=20s");
    const podIp = await ok("get", "pod", "first", "-o", "jsonpath={.status.podIP}");
    const clusterIp = await ok("get", "svc", "web", "-o", "jsonpath={.spec.clusterIP}");
    const ask = async (method: string, name: string): Promise<unknown> => {
      const script =
        "require('dns').promises[process.argv[1]](process.argv[2]).then(JSON.stringify,e=>e.code).then(console.log)";
      const node = ["--", "/opt/lateen/bin/node", "-e", script, method, name];
      return (await ok("exec", "deploy/web", ...node)).trim();
    };
    const zone = "default.svc.cluster.local";
    expect(await ask("lookup", "web")).toContain(clusterIp);
    expect(await ask("resolve4", `web.${zone}`)).toBe(`["${clusterIp}"]`);
    await eventually("the headless host", 10_000, async () => {
      return (await ask("resolve4", `one.peers.${zone}`)) === `["${podIp}"]`;
    });
    expect(await ask("resolveSrv", `_http._tcp.peers.${zone}`)).toMatch(
      new RegExp(`"name":"one.peers.${zone}","port":9080`),
    );
    expect(await ask("reverse", podIp)).toBe(`["one.peers.${zone}"]`);
    expect(await ask("resolveCname", `away.${zone}`)).toBe('["away.example.org"]');
    expect(await ask("lookup", `nobody.${zone}`)).toBe("ENOTFOUND");
  }, 60_000);

  test("drain moves pods away; a node whose agent is silent loses them, and gets them back", async () => {
    const onNode = (node: string): Promise<string> =>
      ok("get", "pods", "-l", "app=web", "--field-selector", `spec.nodeName=${node}`, "-o", "name");
    await ok("drain", "node-1", "--force", "--ignore-daemonsets", "--delete-emptydir-data");
    expect(await onNode("node-1")).toBe("");
    expect(await ok("get", "node", "node-1")).toContain("Ready,SchedulingDisabled");
    await ok("uncordon", "node-1");
    await ok("rollout", "status", "deploy/web", "--timeout=30s");

    const { components } = await cluster.status();
    const agent = components.find(({ name }) => name === "node-agent-node-2")?.pid ?? 0;
    expect(agent).toBeGreaterThan(0);
    process.kill(agent, "SIGSTOP");
    try {
      await ok("wait", "--for=condition=Ready=Unknown", "node/node-2", "--timeout=60s");
      await eventually("not ready pods", 10_000, async () => Number(await available()) < 3);
      expect(await onNode("node-2")).not.toBe("");
    } finally {
      process.kill(agent, "SIGCONT");
    }
    await ok("wait", "--for=condition=Ready", "node/node-2", "--timeout=30s");
    await eventually("all ready again", 30_000, async () => (await available()) === "3");
  }, 150_000);
});
