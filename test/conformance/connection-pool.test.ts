/** DestinationRule, trafficPolicy.connectionPool: bounds, and what is beyond them. */

import { expect, test } from "@jest/globals";
import { waitUntil } from "#cluster/client/testing/wait-until.ts";
import { type MeshAnswer, describeMesh, istio, virtualService } from "./harness.ts";

const host = "other.example.org";
const mark = "headers: { response: { set: { x-rule: there } } }";
const rule = virtualService(
  `{ hosts: [${host}], http: [{ ${mark}, timeout: 1s, retries: { attempts: 0 }, route: [{ destination: { host: ${host} } }] }] }`,
);
const bounds = (pool: string): string =>
  istio("DestinationRule", "pool", `{ host: ${host}, trafficPolicy: { connectionPool: ${pool} } }`);

describeMesh("a connection pool", (mesh) => {
  /** One request that takes its whole timeout, then three at once while it does. */
  const crowd = async (): Promise<MeshAnswer[]> => {
    const before = mesh.calls.get("other") ?? 0;
    const never = { host, path: "/never" };
    const first = mesh.call(never);
    await waitUntil("it came", () => (mesh.calls.get("other") ?? 0) > before);
    return Promise.all([first, mesh.call(never), mesh.call(never), mesh.call(never)]);
  };
  const refuses = async (count: number, pool: string): Promise<void> => {
    mesh.apply(rule);
    await mesh.answers({ host }, { headers: { "x-rule": "there" } });
    mesh.apply(bounds(pool));
    let answers: MeshAnswer[] = [];
    const isBound = async (): Promise<boolean> => {
      answers = await crowd();
      return answers.filter((answer) => answer.status === 503).length === count;
    };
    await waitUntil("the bound is in force", isBound, 20_000);
    for (const { status, headers } of answers) {
      expect(headers["x-envoy-overloaded"]).toBe(status === 503 ? "true" : undefined);
      expect([503, 504]).toContain(status);
    }
  };

  test("answers 503 beyond the requests that may wait for a connection", async () => {
    await refuses(2, "{ tcp: { maxConnections: 1 }, http: { http1MaxPendingRequests: 1 } }");
  });

  test("answers 503 beyond the requests that may be under way", async () => {
    await refuses(3, "{ http: { http2MaxRequests: 1 } }");
  });

  test("uses a connection again, but not beyond the requests that it may carry", async () => {
    const ask = async (): Promise<number | undefined> => (await mesh.call({ host })).connection;
    const distinct = async (): Promise<number> => {
      const all = [await ask(), await ask(), await ask(), await ask()];
      return new Set(all).size;
    };
    await waitUntil("one connection", async () => (await distinct()) === 1, 20_000);
    mesh.apply(bounds("{ http: { maxRequestsPerConnection: 1 } }"));
    await waitUntil("one connection a request", async () => (await distinct()) === 4, 20_000);
  });
});
