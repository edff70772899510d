/** DestinationRule, trafficPolicy.outlierDetection: who is left out, for what and how long. */

import { test } from "@jest/globals";
import { waitUntil } from "#cluster/client/testing/wait-until.ts";
import { describeMesh, istio, virtualService } from "./harness.ts";

const host = "web.example.org";
const detect = (fields: string): string =>
  virtualService(
    `{ hosts: [${host}], http: [{ retries: { attempts: 0 }, route: [{ destination: { host: ${host} } }] }] }`,
  ) +
  istio(
    "DestinationRule",
    "detect",
    `{ host: ${host}, trafficPolicy: { outlierDetection: { interval: 0.1s, ${fields} } } }`,
  ).replace("namespace: default", `namespace: default, creationTimestamp: "2025-01-01T00:00:00Z"`);
/** So many that chance doesn't spare a workload. */
const MANY = 20;

describeMesh("outlier detection", (mesh) => {
  const answering = async (): Promise<Set<string | undefined>> => {
    const found = new Set<string | undefined>();
    for (let index = 0; index < MANY; index += 1) found.add((await mesh.call({ host })).workload);
    return found;
  };
  /** A workload fails by this status, and no other request comes to it. */
  const ejectsBy = async (status: number): Promise<void> => {
    const isLeftOut = async (): Promise<boolean> => {
      const failed = await mesh.call({ host, path: `/status/${status}` });
      const left = await answering();
      return left.size === 1 && !left.has(failed.headers["x-workload"] as string);
    };
    await waitUntil("who fails is left out", isLeftOut, 20_000);
  };

  test("leaves out who fails too often in a row", async () => {
    mesh.apply(detect("consecutive5xxErrors: 1, baseEjectionTime: 60s, maxEjectionPercent: 50"));
    await ejectsBy(500);
  });

  test("takes back who was left out after the time it says", async () => {
    mesh.apply(detect("consecutive5xxErrors: 1, baseEjectionTime: 1s, maxEjectionPercent: 50"));
    await ejectsBy(500);
    await waitUntil("it is back", async () => (await answering()).size === 2, 20_000);
  });

  test("answers 503 where it left all out", async () => {
    mesh.apply(detect("consecutive5xxErrors: 1, baseEjectionTime: 60s, maxEjectionPercent: 100"));
    const allOut = async (): Promise<boolean> => {
      const answer = await mesh.call({ host, path: "/status/500" });
      return answer.status === 503 && answer.headers["x-workload"] === undefined;
    };
    await waitUntil("nobody is left", allOut, 20_000);
  });
});
