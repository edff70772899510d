/** The demo as a user drives it: kubectl on one side, a client on localhost on the other. */

import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { KUBECTL, startCluster } from "./cluster.ts";
import type { TestCluster } from "./cluster.ts";
import { eventually } from "./eventually.ts";
import { ask, askMany, failuresOf, reviewsVersion, shareOf, startLoad } from "./load.ts";
import {
  DIRECT_GATEWAY,
  JASON_TO_V2,
  detailsForJason,
  directRoute,
  reviewsByWeight,
} from "./routing.ts";

const MANIFESTS = path.join(import.meta.dirname, "..", "..", "examples", "bookinfo", "manifests");
const REQUESTS = 2_000;
const TOLERANCE = 0.03;
const EFFECTIVE_BOUND_MS = 1_000;

const suite = KUBECTL === undefined ? describe.skip : describe;
if (KUBECTL === undefined) console.warn("skipped: no kubectl on the PATH (1.28 or later)");

suite("the mesh of the demo", () => {
  let cluster: TestCluster;
  let ingress: string;
  let reviews: string;

  beforeAll(async () => {
    cluster = await startCluster("mesh", ["--demo"]);
    ingress = (await cluster.status()).ingress.http ?? "";
    reviews = `${ingress}/api/v1/products/0/reviews`;
  }, 180_000);

  afterAll(async () => {
    await cluster.down();
  }, 120_000);

  const apply = (manifest: string): Promise<string> =>
    cluster.kubectlOk(["apply", "-f", "-"], manifest);

  test("the demo's manifests apply again with kubectl, and rollout status returns", async () => {
    await cluster.kubectlOk(["apply", "-f", path.join(MANIFESTS, "bookinfo.yaml")]);
    for (const name of ["productpage-v1", "details-v1", "ratings-v1", "reviews-v3"]) {
      const output = await cluster.kubectlOk(["rollout", "status", `deployment/${name}`]);
      expect(output).toContain("successfully rolled out");
    }
  }, 60_000);

  test("all pods of the demo are 2/2 Running", async () => {
    const lines = (await cluster.kubectlOk(["get", "pods", "--no-headers"])).trim().split("\n");
    expect(lines).toHaveLength(6);
    for (const line of lines) expect(line).toMatch(/\s2\/2\s+Running\s+0\s/);
  });

  test("weights 90/10, 50/50 and 0/100 are met within 3 %, at once, with no failed request", async () => {
    const load = startLoad(reviews, 2);
    for (const weights of [
      { v1: 90, v3: 10 },
      { v1: 50, v3: 50 },
      { v1: 0, v3: 100 },
    ]) {
      await apply(reviewsByWeight(weights));
      const effective = performance.now();
      await eventually(`share of v3 near ${weights.v3} %`, EFFECTIVE_BOUND_MS, async () => {
        const share = shareOf(await askMany(reviews, 60), "v3");
        return Math.abs(share - weights.v3 / 100) < 0.2;
      });
      expect(performance.now() - effective).toBeLessThan(EFFECTIVE_BOUND_MS + 500);
      const answers = await askMany(reviews, REQUESTS);
      expect(failuresOf(answers)).toEqual([]);
      expect(Math.abs(shareOf(answers, "v3") - weights.v3 / 100)).toBeLessThan(TOLERANCE);
      expect(Math.abs(shareOf(answers, "v1") - weights.v1 / 100)).toBeLessThan(TOLERANCE);
    }
    expect(failuresOf(await load.stop())).toEqual([]);
  }, 180_000);

  test("a header match sends jason to v2 and everyone else to v1", async () => {
    await apply(JASON_TO_V2);
    const asJason = { headers: { "end-user": "jason" } };
    await eventually("jason on v2", EFFECTIVE_BOUND_MS, async () => {
      return reviewsVersion((await ask(reviews, asJason)).body) === "v2";
    });
    expect(reviewsVersion((await ask(reviews, asJason)).body)).toBe("v2");
    expect(reviewsVersion((await ask(reviews)).body)).toBe("v1");
  });

  test("a fixed delay of 2 s and an abort 500 hit the matching user only", async () => {
    await apply(DIRECT_GATEWAY);
    const host = { host: "details.example.org" };
    const jason = { ...host, "end-user": "jason" };
    const url = `${ingress}/details/0`;
    await apply(directRoute("details.example.org", "route: [{ destination: { host: details } }]"));
    await eventually("details through the ingress", 2_000, async () => {
      return (await ask(url, { headers: host })).status === 200;
    });
    const fault = (body: string): string => {
      const rule = `match: [{ headers: { end-user: { exact: jason } } }]\n      fault: ${body}
      route: [{ destination: { host: details } }]
    - route: [{ destination: { host: details } }]`;
      return directRoute("details.example.org", rule);
    };
    await apply(fault("{ delay: { fixedDelay: 2s, percentage: { value: 100 } } }"));
    await eventually("the delay", 5_000, async () => {
      return (await ask(url, { headers: jason })).durationMs >= 1_900;
    });
    const delayed = await ask(url, { headers: jason });
    expect(delayed.status).toBe(200);
    expect(delayed.durationMs).toBeGreaterThanOrEqual(1_950);
    expect(delayed.durationMs).toBeLessThan(3_000);
    expect((await ask(url, { headers: host })).durationMs).toBeLessThan(1_000);

    await apply(fault("{ abort: { httpStatus: 500, percentage: { value: 100 } } }"));
    // A request that met the old rule takes its 2 s, so the bound is wider than the change's own.
    await eventually("the abort", 5_000, async () => {
      return (await ask(url, { headers: jason })).status === 500;
    });
    expect((await ask(url, { headers: host })).status).toBe(200);
  }, 60_000);

  test("a 1 s timeout cuts a call of 2 s short, seen at the client as 504", async () => {
    // The delay is in productpage's sidecar towards details; the timeout at the ingress.
    await apply(
      detailsForJason("fault: { delay: { fixedDelay: 2s, percentage: { value: 100 } } }"),
    );
    const rule =
      "timeout: 1s\n      route: [{ destination: { host: productpage, port: { number: 9080 } } }]";
    await apply(directRoute("slow.example.org", rule));
    const headers = { host: "slow.example.org", "end-user": "jason" };
    const url = `${ingress}/api/v1/products/0`;
    await eventually("the timeout", 10_000, async () => {
      return (await ask(url, { headers })).status === 504;
    });
    const answer = await ask(url, { headers });
    expect(answer.status).toBe(504);
    expect(answer.durationMs).toBeGreaterThanOrEqual(950);
    expect(answer.durationMs).toBeLessThan(1_900);
  }, 60_000);

  test("an unmatched host or path at the ingress is 404", async () => {
    const headers = { host: "nobody.example.com" };
    expect((await ask(`${ingress}/no/such/path`)).status).toBe(404);
    expect((await ask(`${ingress}/details/0`, { headers })).status).toBe(404);
  });

  test("an upstream scaled to zero is 503 with a reason flag in the access log", async () => {
    await apply(directRoute("ratings.example.org", "route: [{ destination: { host: ratings } }]"));
    const headers = { host: "ratings.example.org" };
    const url = `${ingress}/ratings/0`;
    await eventually("ratings", 2_000, async () => (await ask(url, { headers })).status === 200);
    await cluster.kubectlOk(["scale", "deployment/ratings-v1", "--replicas=0"]);
    await eventually("503", 5_000, async () => (await ask(url, { headers })).status === 503);
    const line = await eventually("the access log's line", 10_000, async () => {
      const gateway = ["-n", "istio-system", "logs", "deployment/istio-ingressgateway"];
      const log = await cluster.kubectlOk([...gateway, "--since=30s"]);
      return log.split("\n").find((text) => text.includes('"GET /ratings/0 HTTP/1.1" 503'));
    });
    expect(line).toMatch(/ 503 (UH|NR|UF|NC) /);
    await cluster.kubectlOk(["scale", "deployment/ratings-v1", "--replicas=1"]);
    await cluster.kubectlOk(["rollout", "status", "deployment/ratings-v1", "--timeout=60s"]);
  }, 90_000);

  test("scaling reviews 1 → 3 → 1 under load fails no request and is followed within 1 s", async () => {
    await apply(reviewsByWeight({ v1: 100 }));
    const load = startLoad(reviews, 4);
    await cluster.kubectlOk(["scale", "deployment/reviews-v1", "--replicas=3"]);
    await cluster.kubectlOk(["rollout", "status", "deployment/reviews-v1", "--timeout=60s"]);
    await eventually("three pods answer", EFFECTIVE_BOUND_MS, async () => {
      const pods = (await askMany(reviews, 60)).map(
        ({ body }) => /"podname"\s*:\s*"([^"]+)/.exec(body)?.[1],
      );
      return new Set(pods).size === 3;
    });
    await cluster.kubectlOk(["scale", "deployment/reviews-v1", "--replicas=1"]);
    await eventually("one pod answers", 10_000, async () => {
      const pods = (await askMany(reviews, 60)).map(
        ({ body }) => /"podname"\s*:\s*"([^"]+)/.exec(body)?.[1],
      );
      return new Set(pods).size === 1;
    });
    await eventually("one pod is left", 60_000, async () => {
      const pods = await cluster.kubectlOk([
        "get",
        "pods",
        "-l",
        "app=reviews,version=v1",
        "-o",
        "name",
      ]);
      return pods.trim().split("\n").length === 1;
    });
    const answers = await load.stop();
    expect(answers.length).toBeGreaterThan(50);
    expect(failuresOf(answers)).toEqual([]);
  }, 180_000);

  const victims = ["control-plane", "pilot", "node-agent-node-1", "dns-node-1"];
  for (const killed of [...victims.map((victim) => [victim]), victims]) {
    test(`kill -9 of ${killed.join(", ")} under load fails no request and shows in no pod`, async () => {
      const podsOf = async (): Promise<string> => {
        const fields =
          '{range .items[*]}{.metadata.uid} {.status.podIP} {.status.containerStatuses[*].restartCount} {.status.conditions[*].lastTransitionTime}{"\\n"}{end}';
        return cluster.kubectlOk(["get", "pods", "-A", "-o", `jsonpath=${fields}`]);
      };
      const before = await podsOf();
      const load = startLoad(reviews, 4);
      const pids = new Map<string, number | null>();
      for (const { name, pid } of (await cluster.status()).components) {
        if (!killed.includes(name)) continue;
        if (pid === null) throw new Error(`${name} has no process`);
        pids.set(name, pid);
        process.kill(pid, "SIGKILL");
      }
      await eventually(`${killed.join(", ")}: back`, 30_000, async () => {
        const { components } = await cluster.status();
        const back = components.filter(({ name, pid, ready }) => ready && pid !== pids.get(name));
        return killed.every((name) => back.some((component) => component.name === name));
      });
      const answered = load.answers.length;
      await eventually("more answers", 10_000, async () => load.answers.length > answered + 50);
      expect(failuresOf(await load.stop())).toEqual([]);
      expect(await podsOf()).toBe(before);
      await apply(reviewsByWeight({ v2: 100 }));
      await eventually("a change takes effect", 5_000, async () => {
        return reviewsVersion((await ask(reviews)).body) === "v2";
      });
      await apply(reviewsByWeight({ v1: 100 }));
    }, 90_000);
  }

  test("a Kubernetes Ingress with hosts and paths answers through the same gateway", async () => {
    await apply(`
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: { name: shop, namespace: default }
spec:
  ingressClassName: istio
  rules:
    - host: shop.example.org
      http:
        paths:
          - { path: /details, pathType: Prefix, backend: { service: { name: details, port: { number: 9080 } } } }
          - { path: /ratings/0, pathType: Exact, backend: { service: { name: ratings, port: { name: http } } } }
`);
    const headers = { host: "shop.example.org" };
    const status = async (target: string): Promise<number> =>
      (await ask(`${ingress}${target}`, { headers })).status;
    await eventually("the Ingress", 5_000, async () => (await status("/details/0")) === 200);
    expect(await status("/ratings/0")).toBe(200);
    expect(await status("/ratings/1")).toBe(404);
    expect(await status("/detailsX")).toBe(404);
    const address = await cluster.kubectlOk([
      "get",
      "ingress/shop",
      "-o",
      "jsonpath={.status.loadBalancer.ingress[0].ip}",
    ]);
    expect(address).toMatch(/^10\./);
  }, 60_000);

  test("an invalid VirtualService is refused with the path of the field", async () => {
    const refused = async (manifest: string): Promise<string> => {
      const result = await cluster.kubectl(["apply", "-f", "-"], manifest);
      expect(result.code).not.toBe(0);
      return result.stderr;
    };
    expect(await refused(reviewsByWeight({ v1: -1 }))).toContain("spec.http[0].route[0].weight");
    expect(await refused(JASON_TO_V2.replace("route:", "rout:"))).toMatch(/rout"/);
    expect(await refused(JASON_TO_V2.replace("exact: jason", 'regex: "a["'))).toContain(
      "spec.http[0].match[0].headers",
    );
  });
});
