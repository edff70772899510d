/** On-demand discovery by the real Envoy: what is called for the first time comes while it waits. */

import http from "node:http";
import net from "node:net";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { waitUntil } from "#cluster/client/testing/wait-until.ts";
import { CLUSTER } from "#pilot/cache/type-url.ts";
import { findEnvoy } from "#test/golden/envoy-validate.ts";
import { type EnvoyProcess, startEnvoy } from "./envoy-process.ts";
import { startPilot } from "./pilot-world.ts";
import type { PilotWorld } from "./pilot-world.ts";

const envoy = findEnvoy();
const ifEnvoy = envoy === undefined ? describe.skip : describe;
const REDIRECT_PORT = 20_000 + (process.pid % 10_000);

const SIDECAR = {
  id: "sidecar~127.0.0.1~client-1.default~default.svc.cluster.local",
  metadata: { NAMESPACE: "default", LATEEN_CERTIFICATE: "NONE", DISCOVERY: "on-demand" },
  redirectPort: REDIRECT_PORT,
};

interface Called {
  readonly host: string;
  /** What is called, an address that the sidecar's listeners know. */
  readonly at?: string;
  readonly body?: string;
}

/** One request on a connection of its own, as if it had been redirected: status and body. */
function call({ host, at = "127.0.0.1", body }: Called): Promise<string> {
  return new Promise((resolve) => {
    const request = http.request(
      {
        method: body === undefined ? "GET" : "POST",
        headers: { host },
        createConnection() {
          const socket = net.connect(REDIRECT_PORT, "127.0.0.1");
          socket.write(`PROXY TCP4 127.0.0.1 ${at} 40000 80\r\n`);
          return socket;
        },
      },
      (response) => {
        let text = "";
        response.on("data", (chunk: Buffer) => (text += chunk.toString()));
        response.on("end", () => resolve(`${response.statusCode} ${text}`.trim()));
      },
    );
    request.on("error", (error) => resolve(error.message));
    request.end(body);
  });
}

function service(name: string, ports: readonly number[], more = ""): string {
  const endpoints = ports.map(
    (port, at) =>
      `  - { address: 127.0.0.1, ports: { http: ${port} }, labels: { version: v${at + 1} } }`,
  );
  return `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: ${name}, namespace: default }
spec:
  hosts: ["${name}.example.org"]
  ports: [{ number: 80, name: http, protocol: HTTP }]
  resolution: STATIC
${more}  endpoints:
${endpoints.join("\n")}
---`;
}

const subsets = `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: split, namespace: default }
spec:
  host: split.example.org
  subsets: [{ name: v1, labels: { version: v1 } }, { name: v2, labels: { version: v2 } }]
---`;

const split = (weight: number): string => `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: split, namespace: default }
spec:
  hosts: [split.example.org]
  http:
  - route:
    - { destination: { host: split.example.org, subset: v1 }, weight: ${weight} }
    - { destination: { host: split.example.org, subset: v2 }, weight: ${100 - weight} }
---`;

const copied = `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: copied, namespace: default }
spec:
  hosts: [copied.example.org]
  http:
  - route: [{ destination: { host: copied.example.org } }]
    mirrors: [{ destination: { host: copy.example.org } }]
---`;

const policy = (mode: string): string => `
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: { name: default, namespace: default }
spec:
  egress: [{ hosts: ["*/*"] }]
  outboundTrafficPolicy: { mode: ${mode} }
`;

ifEnvoy("a sidecar with on-demand discovery", () => {
  const backends: http.Server[] = [];
  const ports: number[] = [];
  const copies: string[] = [];
  let pilot: PilotWorld;
  let proxy: EnvoyProcess;

  const clusters = async (): Promise<string[]> => {
    const text = (await proxy.admin("/clusters")).split("\n");
    const names = text.map((line) => /(outbound\|.*?)::/.exec(line)?.[1]);
    return [...new Set(names.filter((name) => name !== undefined))].toSorted();
  };

  beforeAll(async () => {
    for (const name of ["v1", "v2"]) {
      const backend = http.createServer((request, response) => {
        if (request.headers.host?.includes("-shadow") === true) copies.push(name);
        let body = "";
        request.on("data", (chunk: Buffer) => (body += chunk.toString()));
        request.on("end", () => response.end(name + body));
      });
      await new Promise<void>((resolve) => backend.listen(0, "127.0.0.1", resolve));
      backends.push(backend);
      ports.push((backend.address() as AddressInfo).port);
    }
    const many = Array.from({ length: 50 }, (_, at) => service(`other-${at}`, ports));
    pilot = await startPilot(
      [
        ...many,
        service("plain", [ports[0]!]),
        service("posted", [ports[0]!]),
        service("gone", [ports[0]!]),
        service("empty", []),
        service("copied", [ports[0]!]),
        service("copy", [ports[1]!]),
        service("split", ports),
        service("wild", [ports[0]!]).replace("wild.example.org", "*.wild.example.org"),
        service("direct", [ports[0]!], "  addresses: [192.0.2.10]\n").replace(
          "name: http, protocol: HTTP",
          "name: http, protocol: TCP",
        ),
        subsets,
        split(100),
        copied,
      ].join("\n"),
    );
    proxy = startEnvoy(envoy ?? "", pilot.server.port, SIDECAR);
    await waitUntil(
      "it listens",
      async () => (await call({ host: "empty.example.org" })).startsWith("503"),
      20_000,
    );
  }, 30_000);

  afterAll(async () => {
    await proxy.stop();
    for (const backend of backends) backend.close();
    await pilot.close();
  });

  test("begins with what it has called, and what nothing could ask for: where copies go", async () => {
    expect(await clusters()).toEqual([
      "outbound|80||copy.example.org",
      "outbound|80||empty.example.org",
    ]);
  });

  test.each<[string, Called, string, string]>([
    ["a request", { host: "plain.example.org" }, "200 v1", "outbound|80||plain.example.org"],
    [
      "one with a body",
      { host: "posted.example.org", body: "!" },
      "200 v1!",
      "outbound|80||posted.example.org",
    ],
    [
      "one to a name under a wildcard",
      { host: "a.wild.example.org" },
      "200 v1",
      "outbound|80||*.wild.example.org",
    ],
    [
      "a connection",
      { host: "any", at: "192.0.2.10" },
      "200 v1",
      "outbound|80||direct.example.org",
    ],
  ])("%s waits for its cluster and its endpoints", async (_, what, answer, cluster) => {
    expect(await clusters()).not.toContain(cluster);
    expect(await call(what)).toBe(answer);
    expect(await clusters()).toContain(cluster);
  });

  test("copies go where they should from the first request on", async () => {
    expect(await call({ host: "copied.example.org" })).toBe("200 v1");
    await waitUntil("the copy arrives", () => copies.length > 0);
    expect(copies[0]).toBe("v2");
  });

  test("follows weights at once, also to a subset that was never called", async () => {
    expect(await call({ host: "split.example.org" })).toBe("200 v1");
    expect(await clusters()).not.toContain("outbound|80|v2|split.example.org");
    for (const weight of [0, 100, 0]) {
      pilot.apply(split(weight));
      const answers = new Set<string>();
      await waitUntil("the weight is effective", async () => {
        const answer = await call({ host: "split.example.org" });
        answers.add(answer);
        return answer === (weight === 0 ? "200 v2" : "200 v1");
      });
      expect([...answers].filter((one) => !one.startsWith("200"))).toEqual([]);
    }
  });

  test("gets changes of what it has asked for, and loses what is gone", async () => {
    expect(await call({ host: "gone.example.org" })).toBe("200 v1");
    pilot.apply(service("gone", [ports[1]!]));
    await waitUntil("the endpoint is another", async () => {
      return (await call({ host: "gone.example.org" })) === "200 v2";
    });
    pilot.delete(service("gone", []));
    await waitUntil("it is gone", async () => {
      return !(await clusters()).some((name) => name.includes("gone"));
    });
    pilot.apply(service("gone", [ports[0]!]));
    await waitUntil("it is back", async () => {
      return (await call({ host: "gone.example.org" })) === "200 v1";
    });
  });

  test("answers soon where there is nobody to wait for", async () => {
    expect(await call({ host: "empty.example.org" })).toMatch(/^503 no healthy upstream/);
    // It is called where the client wanted to go, which is this machine, where nobody listens.
    const passes = async (): Promise<boolean> =>
      /^503 .*remote connection failure/.test(await call({ host: "unknown.example.org" }));
    expect(await passes()).toBe(true);
    pilot.apply(policy("REGISTRY_ONLY"));
    await waitUntil("unknown hosts are blocked", async () => {
      return (await call({ host: "unknown.example.org" })) === "502";
    });
    pilot.delete(policy("REGISTRY_ONLY"));
    await waitUntil("unknown hosts pass through", passes);
  });

  test("connects again and is sent nothing that it has, nor what it hasn't asked for", async () => {
    const before = await clusters();
    const [stream] = pilot.server.streams();
    stream?.disconnect("the test wants it");
    await waitUntil("it is back", () => {
      const [next] = pilot.server.streams();
      return next !== stream && next?.subscriptions.get(CLUSTER)?.state === "synced";
    });
    expect(pilot.server.streams()[0]?.subscriptions.get(CLUSTER)?.sentNonce).toBe("");
    expect(await call({ host: "plain.example.org" })).toBe("200 v1");
    expect(await call({ host: "other-7.example.org" })).toMatch(/^200/);
    expect(await clusters()).toEqual([...before, "outbound|80||other-7.example.org"].toSorted());
    expect(pilot.rejections).toEqual([]);
    expect(proxy.output()).not.toMatch(/\[(error|critical)\]/);
  });
});
