/** Istio's routing rules and the mesh around them, through real sidecars and the ingress gateway. */

import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import type { PodList } from "#cluster/api/generated/core-v1.ts";
import { KUBECTL, startCluster } from "./cluster.ts";
import type { TestCluster } from "./cluster.ts";
import { callFrom, echoPod, manifest } from "./echo.ts";
import type { InnerAnswer, InnerCall } from "./echo.ts";
import { eventually } from "./eventually.ts";
import { HOST, TO_ECHO, WORLD, istio, named, rules, subsets, to } from "./lab.ts";
import { ask, failuresOf, startLoad } from "./load.ts";
import type { Answer } from "./load.ts";

const suite = KUBECTL === undefined ? describe.skip : describe;

suite("routing rules", () => {
  let cluster: TestCluster;
  let ingress: string;

  beforeAll(async () => {
    cluster = await startCluster("rules", []);
    ingress = (await cluster.status()).ingress.http ?? "";
    await cluster.kubectlOk(["apply", "-f", "-"], WORLD);
    for (const namespace of ["lab", "plain"]) {
      const all = ["deployment", "--all", "-n", namespace, "--timeout=60s"];
      await cluster.kubectlOk(["wait", "--for=condition=Available", ...all]);
    }
  }, 120_000);

  afterAll(async () => {
    await cluster.down();
  }, 60_000);

  const apply = (...objects: object[]): Promise<string> =>
    cluster.kubectlOk(["apply", "-f", "-"], manifest(...objects));
  const outside = (path: string, headers: Record<string, string> = {}): Promise<Answer> =>
    ask(`${ingress}${path}`, { headers: { host: HOST, ...headers } });
  const inside = (...calls: InnerCall[]): Promise<InnerAnswer[]> =>
    callFrom(cluster, "lab/client-v1", calls);
  /** Applies rules and waits until the gateway and the client's sidecar follow them. */
  const follow = async (...http: object[]): Promise<void> => {
    const mark = `/mark-${Math.random().toString(36).slice(2)}`;
    await apply(
      rules({ match: [{ uri: { exact: mark } }], directResponse: { status: 418 } }, ...http),
    );
    await eventually("the rules", 2_000, async () => {
      if ((await outside(mark)).status !== 418) return false;
      return (await inside({ url: `http://echo${mark}` }))[0]?.status === 418;
    });
  };
  const eventsOf = async (kind: string, name: string): Promise<string> =>
    cluster.kubectlOk(["-n", "lab", "describe", kind, name]);

  test("match paths, headers, parameters, methods and authorities, at the gateway and in the mesh", async () => {
    await follow(
      named("exact", { uri: { exact: "/exact" } }),
      named("prefix", { uri: { prefix: "/prefix/" } }),
      named("regex", { uri: { regex: "/re/[0-9]+" } }),
      named("any-case", { uri: { exact: "/Case" }, ignoreUriCase: true }),
      named("header", { uri: { prefix: "/h" }, headers: { "x-a": { exact: "1" } } }),
      named("header-regex", { uri: { prefix: "/h" }, headers: { "x-a": { regex: "z+" } } }),
      named("present", { uri: { prefix: "/h" }, headers: { "x-p": {} } }),
      named("without", { uri: { prefix: "/h" }, withoutHeaders: { "x-q": { exact: "no" } } }),
      named("query", { uri: { prefix: "/q" }, queryParams: { a: { exact: "1" } } }),
      named("post", { method: { exact: "POST" } }),
      named("authority", { uri: { prefix: "/a" }, authority: { regex: "(rules|echo).*" } }),
      named("client", { uri: { prefix: "/label" }, sourceLabels: { app: "client" } }),
      named("gateway", { uri: { prefix: "/label" }, gateways: ["rules"] }),
      named("rest", {}),
    );
    const cases: [string, string, Record<string, string>?][] = [
      ["/exact?x=1", "exact"],
      ["/exact/", "rest"],
      ["/prefix/a", "prefix"],
      ["/prefix", "rest"],
      ["/re/12", "regex"],
      ["/re/12x", "rest"],
      ["/cASE", "any-case"],
      ["/h", "header", { "x-a": "1" }],
      ["/h", "header-regex", { "x-a": "zz" }],
      ["/h", "without", { "x-a": "zzy" }],
      ["/h", "present", { "x-p": "" }],
      ["/h", "rest", { "x-q": "no" }],
      ["/q?b=2&a=1", "query"],
      ["/q?a=2", "rest"],
      ["/a", "authority"],
    ];
    const got = await Promise.all(cases.map(([path, , headers]) => outside(path, headers)));
    expect(got.map(({ headers }) => headers["rule"])).toEqual(cases.map(([, rule]) => rule));
    expect((await outside("/label")).headers["rule"]).toBe("gateway");
    const answers = await inside(
      ...cases.map(([path, , headers = {}]) => ({ url: `http://echo${path}`, headers })),
      { url: "http://echo/post", method: "POST" },
      { url: "http://echo/label" },
      { url: "http://echo.lab/label" },
    );
    const wanted = [...cases.map(([, rule]) => rule), "post", "client", "client"];
    expect(answers.map(({ headers }) => headers?.["rule"])).toEqual(wanted);
  });

  test("rewrite, redirect, answer themselves, change headers and let browsers in", async () => {
    const at = (path: string): object => ({ match: [{ uri: { prefix: path } }] });
    await follow(
      {
        ...at("/rewrite/"),
        rewrite: { uri: "/new/", authority: "other.example.org" },
        route: TO_ECHO,
      },
      {
        ...at("/turn"),
        rewrite: { uriRegexRewrite: { match: "/turn/([^/]+)/(.*)", rewrite: "/\\2/\\1" } },
        route: TO_ECHO,
      },
      {
        ...at("/redirect"),
        redirect: { uri: "/there", authority: "there.example.org", redirectCode: 302 },
      },
      { ...at("/direct"), directResponse: { status: 503, body: { string: "closed" } } },
      {
        ...at("/headers"),
        headers: {
          request: { set: { "x-set": "100%%" }, add: { "x-add": "rule" }, remove: ["x-gone"] },
          response: { remove: ["x-version"] },
        },
        route: [
          { destination: { host: "echo" }, headers: { request: { add: { "x-add": "route" } } } },
        ],
      },
      {
        ...at("/cors"),
        corsPolicy: { allowOrigins: [{ regex: "https://.*\\.example\\.org" }], maxAge: "1h" },
        route: TO_ECHO,
      },
    );
    const seen = async (path: string, headers?: Record<string, string>): Promise<object> =>
      JSON.parse((await outside(path, headers)).body) as object;
    expect(await seen("/rewrite/a?q=1")).toMatchObject({
      url: "/new/a?q=1",
      headers: { host: "other.example.org" },
    });
    expect(await seen("/turn/one/two")).toMatchObject({ url: "/two/one" });
    const redirect = await outside("/redirect");
    expect([redirect.status, redirect.headers.location]).toEqual([
      302,
      "http://there.example.org/there",
    ]);
    expect(await outside("/direct")).toMatchObject({ status: 503, body: "closed" });
    const changed = await seen("/headers", { "x-add": "own", "x-gone": "1" });
    expect(changed).toMatchObject({ headers: { "x-set": "100%", "x-add": "own, rule, route" } });
    expect(changed).not.toHaveProperty(["headers", "x-gone"]);
    expect((await outside("/headers")).headers).not.toHaveProperty("x-version");
    const allowed = await outside("/cors", { origin: "https://a.example.org" });
    expect(allowed.headers["access-control-allow-origin"]).toBe("https://a.example.org");
    const stranger = await outside("/cors", { origin: "https://example.net" });
    expect(stranger.headers).not.toHaveProperty("access-control-allow-origin");
  });

  test("retry what fails every other time, or not; cut off; mirror", async () => {
    const at = (prefix: string): object => ({ match: [{ uri: { prefix } }] });
    await follow(
      {
        ...at("/every-other/retried"),
        retries: { attempts: 2, retryOn: "5xx" },
        route: to("v1"),
      },
      { ...at("/every-other/once"), retries: { attempts: 0 }, route: to("v1") },
      { ...at("/delay"), timeout: "0.3s", route: TO_ECHO },
      {
        ...at("/mirror"),
        mirrors: [{ destination: { host: "echo", subset: "v2" } }],
        route: to("v1"),
      },
      { ...at("/v2"), route: to("v2") },
    );
    const codes = async (path: string): Promise<number[]> => {
      const all: number[] = [];
      for (let call = 0; call < 6; call++) all.push((await outside(path)).status);
      return all;
    };
    expect(await codes("/every-other/retried")).toEqual([200, 200, 200, 200, 200, 200]);
    expect(await codes("/every-other/once")).toEqual([503, 200, 503, 200, 503, 200]);
    const url = "http://echo/every-other/retried-inside";
    const answers = await inside({ url }, { url }, { url });
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
    const [slow, quick] = [await outside("/delay/2000"), await outside("/delay/50")];
    expect([slow.status, quick.status]).toEqual([504, 200]);
    expect(slow.durationMs).toBeLessThan(1_500);
    const served = async (): Promise<number> =>
      (JSON.parse((await outside("/v2")).body) as { served: number }).served;
    const before = await served();
    const mirrored = await Promise.all(Array.from({ length: 5 }, () => outside("/mirror")));
    expect(mirrored.map(({ headers }) => headers["x-version"])).toEqual(Array(5).fill("v1"));
    await eventually("the copies", 2_000, async () => (await served()) >= before + 5);
  });

  test("twenty changes of weights under load fail no request", async () => {
    const split = (weight: number): object => ({
      route: [
        { destination: { host: "echo", subset: "v1" }, weight },
        { destination: { host: "echo", subset: "v2" }, weight: 100 - weight },
      ],
    });
    await follow(split(50));
    const load = startLoad(`${ingress}/`, 2, { host: HOST });
    for (let change = 0; change < 20; change++) await apply(rules(split((change * 37) % 101)));
    await cluster.kubectlOk(["-n", "lab", "delete", "virtualservice", "rules"]);
    await apply(rules(split(0)));
    const answers = await load.stop();
    const wrong = failuresOf(answers).filter((line) => !line.startsWith("404"));
    expect(wrong).toEqual([]);
    expect(answers.length).toBeGreaterThan(200);
  }, 60_000);

  test("a subset and its route in one file, in either order, fail no request", async () => {
    await apply(subsets("v1", "v2", "v1-0"));
    await follow({ route: to("v1-0") });
    const load = startLoad(`${ingress}/`, 2, { host: HOST });
    for (let change = 1; change <= 8; change++) {
      const name = `v${(change % 2) + 1}-${change}`;
      const both = [subsets("v1", "v2", name), rules({ route: to(name) })];
      await apply(...(change % 4 < 2 ? both : both.toReversed()));
      await eventually(`route to ${name}`, 2_000, async () => {
        return (await outside("/")).headers["x-version"] === name.slice(0, 2);
      });
    }
    expect(failuresOf(await load.stop())).toEqual([]);
  }, 60_000);

  test("a rule that Envoy refuses harms nobody else, and its author is told", async () => {
    const bad = { headers: { response: { set: { a: "%NO_SUCH_COMMAND%" } } }, route: TO_ECHO };
    await apply(
      istio("VirtualService", "refused", {
        hosts: ["refused.example.org", "headless"],
        gateways: ["rules", "mesh"],
        http: [bad],
      }),
    );
    await follow({ route: to("v2") });
    expect((await outside("/")).headers["x-version"]).toBe("v2");
    // A proxy that starts now has nothing from before.
    await cluster.kubectlOk(["-n", "lab", "rollout", "restart", "deployment/client-v1"]);
    await cluster.kubectlOk(["-n", "lab", "rollout", "status", "deployment/client-v1"]);
    const [answer] = await inside({ url: "http://echo/" });
    expect(answer?.headers?.["x-version"]).toBe("v2");
    await eventually("the Event", 5_000, async () => {
      return (await eventsOf("virtualservice", "refused")).includes("RefusedByProxy");
    });
    await cluster.kubectlOk(["-n", "lab", "delete", "virtualservice", "refused"]);
  }, 60_000);

  test("a mistake is told on its object, and mutual TLS that isn't there yet breaks nothing", async () => {
    await follow({ route: [{ destination: { host: "echo", subset: "v99" } }] });
    const policy = { host: "client", trafficPolicy: { tls: { mode: "ISTIO_MUTUAL" } } };
    await apply(istio("DestinationRule", "client", policy));
    await eventually("both Events", 8_000, async () => {
      if (!(await eventsOf("destinationrule", "client")).includes("MeshTlsDisabled")) return false;
      return (await eventsOf("virtualservice", "rules")).includes("UnknownSubset");
    });
    expect(await inside({ url: "http://client/" })).toMatchObject([{ status: 200 }]);
  }, 30_000);

  test("every kind of Service can be called, from both sides of the mesh", async () => {
    // Of a rollout before, pods may still be ending.
    const address = async (namespace: string, app: string): Promise<string> => {
      const args = ["-n", namespace, "get", "pods", "-l", `app=${app}`, "-o", "json"];
      const { items } = JSON.parse(await cluster.kubectlOk(args)) as PodList;
      const pod = items.find(({ metadata }) => metadata.deletionTimestamp === undefined);
      return pod?.status?.podIP ?? `no pod of ${app}`;
    };
    await follow({ route: TO_ECHO });
    const urls = [
      "http://echo/",
      "http://echo.lab.svc.cluster.local/",
      "http://client/",
      "http://headless:8080/",
      "http://unnamed:8080/",
      "http://echo.plain/",
      `http://${await address("lab", "echo")}:8080/`,
      `http://${await address("plain", "echo")}:8080/`,
      `http://${await address("lab", "client")}:8080/`,
    ];
    const answers = await inside(...urls.map((url) => ({ url })));
    expect(answers.map(({ status }, at) => `${urls[at]} ${status}`)).toEqual(
      urls.map((url) => `${url} 200`),
    );
    const tcp = await inside(
      { tcp: "echo:9000", send: "ping\n" },
      { tcp: "unnamed:9100", send: "ping\n" },
      { tcp: "echo.plain:9000", send: "ping\n" },
      { upgrade: "http://echo/" },
    );
    expect(tcp.map(({ body }) => body?.trim())).toEqual(["ping", "hello\nping", "ping", "ping"]);
    const strangers = await callFrom(cluster, "plain/echo-v1", [
      { url: "http://echo.lab/" },
      { url: "http://headless.lab:8080/" },
      { tcp: "unnamed.lab:9100", send: "ping\n" },
    ]);
    expect(strangers).toMatchObject([{ status: 200 }, { status: 200 }, { body: "hello\nping\n" }]);
  }, 30_000);

  test("a ServiceEntry brings in the world outside, a Sidecar shuts it out", async () => {
    const ip = ["-n", "plain", "get", "pods", "-o", "jsonpath={.items[0].status.podIP}"];
    const address = await cluster.kubectlOk(ip);
    const entry = (name: string, spec: object): object =>
      istio("ServiceEntry", name, { hosts: [`${name}.example.com`], ...spec });
    await apply(
      entry("static", {
        ports: [
          { number: 80, name: "http", protocol: "HTTP", targetPort: 8080 },
          { number: 9001, name: "tcp", protocol: "TCP", targetPort: 9000 },
        ],
        resolution: "STATIC",
        endpoints: [{ address }],
      }),
      entry("named", {
        ports: [{ number: 80, name: "http", protocol: "HTTP" }],
        resolution: "DNS",
        endpoints: [{ address: "echo.plain.svc.cluster.local" }],
      }),
    );
    // By whatever address, the sidecar goes by the host; by name, at the address that it was given.
    const calls = ["static", "named"].flatMap((name) => [
      { url: "http://192.0.2.1/", headers: { host: `${name}.example.com` } },
      { url: `http://${name}.example.com/` },
    ]);
    await eventually("the entries", 5_000, async () => {
      return (await inside(...calls)).every(({ status }) => status === 200);
    });
    const [answer] = await inside({ tcp: "static.example.com:9001", send: "ping\n" });
    expect(answer?.body?.trim()).toBe("ping");
    await apply(
      istio("Sidecar", "client", {
        workloadSelector: { labels: { app: "client" } },
        outboundTrafficPolicy: { mode: "REGISTRY_ONLY" },
        egress: [{ hosts: ["./*"] }],
      }),
    );
    await eventually("the Sidecar", 5_000, async () => {
      return (await inside({ url: "http://echo.plain/" }))[0]?.status === 502;
    });
    expect(await inside({ url: "http://echo/" })).toMatchObject([{ status: 200 }]);
    await cluster.kubectlOk(["-n", "lab", "delete", "sidecar", "client"]);
  }, 60_000);

  test("pods may stay out, come in alone, and end together with their sidecar", async () => {
    const sleep = ["/bin/sleep", "600"];
    const pod = (name: string, over: { namespace?: string; metadata?: object; spec?: object }) => ({
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name, namespace: over.namespace ?? "lab", ...over.metadata },
      spec: { ...echoPod(sleep), ...over.spec },
    });
    const inject = (value: string): object => ({ labels: { "sidecar.istio.io/inject": value } });
    await apply(
      pod("out", { metadata: inject("false") }),
      pod("in", { namespace: "plain", metadata: inject("true") }),
      pod("job", { spec: { ...echoPod(["/bin/true"]), restartPolicy: "Never" } }),
    );
    const bad = pod("bad", {
      metadata: { annotations: { "traffic.sidecar.istio.io/excludeOutboundPorts": "http" } },
    });
    const refused = await cluster.kubectl(["apply", "-f", "-"], manifest(bad));
    expect(refused.stderr).toContain("excludeOutboundPorts");
    const ready = "--for=condition=Ready";
    await cluster.kubectlOk(["-n", "lab", "wait", ready, "pod/out", "--timeout=30s"]);
    await cluster.kubectlOk(["-n", "plain", "wait", ready, "pod/in", "--timeout=30s"]);
    const done = "--for=jsonpath={.status.phase}=Succeeded";
    await cluster.kubectlOk(["-n", "lab", "wait", done, "pod/job", "--timeout=30s"]);
    const lines = await cluster.kubectlOk(["get", "pods", "-A", "--no-headers"]);
    expect(lines).toMatch(/lab\s+out\s+1\/1\s+Running\s+0/);
    expect(lines).toMatch(/plain\s+in\s+2\/2\s+Running\s+0/);
    expect(lines).toMatch(/lab\s+job\s+0\/2\s+Completed\s+0/);
  }, 90_000);
});
