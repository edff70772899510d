/**
 * No request is lost while everything around it changes. By hand for longer: `LATEEN_SOAK_REQUESTS`
 * (100,000) and `LATEEN_OUTAGE_MS` (300,000).
 */

import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { KUBECTL, lateen, startCluster } from "./cluster.ts";
import type { TestCluster } from "./cluster.ts";
import { eventually } from "./eventually.ts";
import { failuresOf, reviewsVersion, startLoad } from "./load.ts";
import type { Load } from "./load.ts";
import { DIRECT_GATEWAY } from "./routing.ts";

const SHIFTS = 50;
const REQUESTS = Number(process.env.LATEEN_SOAK_REQUESTS ?? 2000);
const OUTAGE_MS = Number(process.env.LATEEN_OUTAGE_MS ?? 5000);
const BOUND_MS = 120_000 + REQUESTS * 10 + OUTAGE_MS;
const HOST = "reviews.example.org";

const suite = KUBECTL === undefined ? describe.skip : describe;

suite("a canary under load", () => {
  let cluster: TestCluster;
  let url: string;
  /** The subset of v3 by its newest name. */
  let canary = "v3";

  beforeAll(async () => {
    cluster = await startCluster("canary", ["--demo"]);
    const service = ["-n", "istio-system", "get", "service/istio-ingressgateway", "-o"];
    const address = "jsonpath={.status.loadBalancer.ingress[0].ip}";
    // Not by localhost, whose gateway ends with its supervisor.
    url = `http://${await cluster.kubectlOk([...service, address])}/reviews/0`;
    await cluster.kubectlOk(["apply", "-f", "-"], `${DIRECT_GATEWAY}---${split("v1", "v3", 0)}`);
    await settled();
  }, 180_000);

  afterAll(async () => {
    await cluster.down();
  }, 120_000);

  const load = (): Load => startLoad(url, 4, { host: HOST });

  /** Until the newest state is everywhere: what is asked now, is answered by it. */
  const settled = (): Promise<string> =>
    cluster.kubectlOk(["wait", "--for=condition=Applied", "vs/canary", "--timeout=30s"]);

  async function pidsOf(names: readonly string[]): Promise<number[]> {
    const { components } = await cluster.status();
    return components.flatMap(({ name, pid }) => (names.includes(name) && pid !== null ? pid : []));
  }

  async function kill(name: string): Promise<void> {
    const [before = 0] = await pidsOf([name]);
    process.kill(before, "SIGKILL");
    await eventually(`${name}: back`, 30_000, async () => {
      const { components } = await cluster.status();
      return components.some((one) => one.name === name && one.ready && one.pid !== before);
    });
  }

  /** One of several: without any other there would be nobody to answer. */
  async function deleteOne(selector: string): Promise<void> {
    await cluster.kubectlOk(["rollout", "status", "deployment/reviews-v3", "--timeout=30s"]);
    const pods = await cluster.kubectlOk(["get", "pods", "-l", selector, "-o", "name"]);
    await cluster.kubectlOk(["delete", "--wait=false", pods.split("\n")[0] ?? ""]);
  }

  /** What happens beside the shifts, each at its turn. */
  const EVENTS: readonly (() => Promise<unknown>)[] = [
    () => cluster.kubectlOk(["scale", "deployment/reviews-v3", "--replicas=3"]),
    () => kill("pilot"),
    () => cluster.kubectlOk(["scale", "deployment/reviews-v1", "--replicas=2"]),
    () => deleteOne("app=reviews,version=v3"),
    () => kill("control-plane"),
    () => cluster.kubectlOk(["scale", "deployment/reviews-v3", "--replicas=1"]),
    () => cluster.kubectlOk(["scale", "deployment/reviews-v1", "--replicas=1"]),
  ];

  test(
    "loses nothing in 50 shifts of weight, subsets that are renamed, pods that come and go, and restarts",
    async () => {
      const running = load();
      for (let shift = 0; shift < SHIFTS || running.answers.length < REQUESTS; shift++) {
        const old = canary;
        if (shift % 10 === 4) canary = `canary-${shift}`;
        const rules = split("v1", canary, (shift * 37) % 101);
        // The old name goes with the next: on a busy machine kubectl takes its time between the two.
        const renamed = old === canary ? rules : `${subsets(old, canary)}---${rules}`;
        await cluster.kubectlOk(["apply", "-f", "-"], renamed);
        if (shift % 7 === 3) await EVENTS[Math.floor(shift / 7) % EVENTS.length]?.();
      }
      await cluster.kubectlOk(["apply", "-f", "-"], split("v1", canary, 100));
      await settled();
      const from = running.answers.length;
      await eventually("answers", 30_000, async () => running.answers.length > from + 50);
      const answers = await running.stop();
      expect([...new Set(failuresOf(answers))]).toEqual([]);
      const last = answers.slice(-20).map(({ body }) => reviewsVersion(body));
      expect(new Set(last)).toEqual(new Set(["v3"]));
    },
    BOUND_MS,
  );

  /** Time goes by under load. */
  async function outlast(running: Load): Promise<void> {
    const [began, from] = [performance.now(), running.answers.length];
    await eventually("the outage is over", BOUND_MS, async () => {
      return performance.now() - began > OUTAGE_MS && running.answers.length > from + 100;
    });
  }

  test(
    "is served while control plane and pilot stand still, and shifts when they go on",
    async () => {
      const running = load();
      const pids = await pidsOf(["control-plane", "pilot"]);
      expect(pids).toHaveLength(2);
      for (const pid of pids) process.kill(pid, "SIGSTOP");
      await outlast(running);
      for (const pid of pids) process.kill(pid, "SIGCONT");
      await shiftTo("v1", running);
      const answers = await running.stop();
      expect([...new Set(failuresOf(answers))]).toEqual([]);
    },
    BOUND_MS,
  );

  test(
    "is served while they are dead, and shifts when there is a supervisor again",
    async () => {
      const running = load();
      const pids = await pidsOf(["supervisor", "control-plane", "pilot"]);
      expect(pids).toHaveLength(3);
      for (const pid of pids) process.kill(pid, "SIGKILL");
      await outlast(running);
      const { name, home } = cluster;
      const up = await lateen(["up", "--detach", "--name", name, "--home", home]);
      expect([up.code, up.stderr]).toEqual([0, ""]);
      await shiftTo("v3", running);
      const answers = await running.stop();
      expect([...new Set(failuresOf(answers))]).toEqual([]);
    },
    BOUND_MS,
  );

  async function shiftTo(version: string, running: Load): Promise<void> {
    const names = canary === "v3" ? ["v3"] : ["v3", canary];
    await eventually("the API server", 30_000, async () => {
      const rules = `${subsets(...names)}---${split("v1", "v3", version === "v3" ? 100 : 0)}`;
      return (await cluster.kubectl(["apply", "-f", "-"], rules)).code === 0;
    });
    await eventually("the shift", 30_000, async () => {
      const last = running.answers.slice(-20);
      return last.every(({ body }) => reviewsVersion(body) === version);
    });
  }
});

/** `weight` percent of the host's requests go to the second subset. */
function split(stable: string, canary: string, weight: number): string {
  return `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: canary, namespace: default }
spec:
  hosts: [${HOST}]
  gateways: [direct]
  http:
    - route:
        - { destination: { host: reviews, subset: ${stable} }, weight: ${100 - weight} }
        - { destination: { host: reviews, subset: ${canary} }, weight: ${weight} }
`;
}

/** The demo's subsets, with other names for version v3. */
function subsets(...canaries: readonly string[]): string {
  const named = canaries.map((name) => `{ name: ${name}, labels: { version: v3 } }`);
  return `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: reviews, namespace: default }
spec:
  host: reviews
  subsets:
    - { name: v1, labels: { version: v1 } }
    - { name: v2, labels: { version: v2 } }
    - ${named.join("\n    - ")}
`;
}
