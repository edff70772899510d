import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import {
  connectClient,
  startTestServer,
  type TestClient,
  type TestServer,
  type WatchLine,
} from "#cluster/apiserver/testing/test-server.ts";

let server: TestServer;
let client: TestClient;

beforeAll(async () => {
  server = await startTestServer();
  client = await connectClient(server, server.admin);
});

afterAll(async () => {
  client.close();
  await server.remove();
});

const MAPS = "/api/v1/namespaces/default/configmaps";
const MERGE = { "content-type": "application/merge-patch+json" };

async function create(name: string, labels = {}): Promise<number> {
  const body = { kind: "ConfigMap", apiVersion: "v1", metadata: { name, labels } };
  return revisionOf((await client.send(MAPS, { body })).body);
}

function patch(name: string, body: object): ReturnType<TestClient["send"]> {
  return client.send(`${MAPS}/${name}`, { method: "PATCH", body, headers: MERGE });
}

function revisionOf(body: unknown): number {
  return Number((body as { metadata: { resourceVersion: string } }).metadata.resourceVersion);
}

const said = (events: WatchLine[]): string[] =>
  events.map(({ type, object }) => `${type} ${String(object.metadata.name)}`);
const some =
  (count: number) =>
  (events: WatchLine[]): boolean =>
    events.length >= count;

describe("a watch", () => {
  test("from a revision tells what came after it, past and future alike", async () => {
    const from = await create("past");
    await patch("past", { data: { a: "1" } });
    const watching = client.watch(`${MAPS}?watch=true&resourceVersion=${from}`, some(3));
    await create("future");
    await client.send(`${MAPS}/past`, { method: "DELETE" });
    const events = await watching;
    expect(said(events)).toEqual(["MODIFIED past", "ADDED future", "DELETED past"]);
    const versions = events.map((event) => revisionOf(event.object));
    expect(versions).toEqual(versions.toSorted((a, b) => a - b));
  });

  test("with a selector shows an object that comes into view, and one that leaves it", async () => {
    const from = await create("moving", { seen: "no" });
    const query = `watch=true&resourceVersion=${from}&labelSelector=seen%3Dyes`;
    const watching = client.watch(`${MAPS}?${query}`, some(3));
    await patch("moving", { metadata: { labels: { seen: "yes" } } });
    await patch("moving", { data: { a: "1" } });
    const last = await patch("moving", { metadata: { labels: { seen: "no" } } });
    const events = await watching;
    expect(said(events)).toEqual(["ADDED moving", "MODIFIED moving", "DELETED moving"]);
    expect(events[2]?.object).toMatchObject({
      metadata: { labels: { seen: "yes" }, resourceVersion: String(revisionOf(last.body)) },
    });
  });

  test("of one name sees that object only", async () => {
    const from = await create("one");
    await create("another");
    const query = `watch=true&resourceVersion=${from}&fieldSelector=metadata.name%3Done`;
    const watching = client.watch(`${MAPS}?${query}`, some(1));
    await client.send(`${MAPS}/one`, { method: "DELETE" });
    expect(said(await watching)).toEqual(["DELETED one"]);
  });

  test("without a revision begins with what is there", async () => {
    await create("present");
    const events = await client.watch(`${MAPS}?watch=true`, (all) =>
      said(all).includes("ADDED present"),
    );
    expect(new Set(events.map(({ type }) => type))).toEqual(new Set(["ADDED"]));
  });

  test("with sendInitialEvents marks where the initial objects end", async () => {
    await create("initial");
    const query =
      "watch=true&sendInitialEvents=true&allowWatchBookmarks=true&resourceVersionMatch=NotOlderThan";
    const isEnd = ({ object }: WatchLine): boolean =>
      JSON.stringify(object.metadata).includes('"k8s.io/initial-events-end":"true"');
    const events = await client.watch(`${MAPS}?${query}`, (all) => all.some(isEnd));
    expect(said(events)).toContain("ADDED initial");
    expect(events.at(-1)).toMatchObject({ type: "BOOKMARK", object: { kind: "ConfigMap" } });
    const incomplete = await client.send(`${MAPS}?watch=true&sendInitialEvents=true`);
    expect(incomplete.code).toBe(422);
  });

  test("ends by itself after timeoutSeconds", async () => {
    const from = await create("timed");
    const query = `watch=true&timeoutSeconds=1&resourceVersion=${from}`;
    expect(await client.watch(`${MAPS}?${query}`, () => false)).toEqual([]);
  });

  test("can show tables and metadata", async () => {
    const from = await create("formed");
    const query = `watch=true&timeoutSeconds=1&resourceVersion=${from - 1}`;
    const table = await client.send(`${MAPS}?${query}`, {
      headers: { accept: "application/json;as=Table;v=v1;g=meta.k8s.io" },
    });
    expect(table.body).toMatchObject({
      type: "ADDED",
      object: { kind: "Table", rows: [{ cells: ["formed", 0, expect.any(String)] }] },
    });
    const partial = await client.send(`${MAPS}?${query}`, {
      headers: { accept: "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io" },
    });
    expect(partial.body).toMatchObject({
      type: "ADDED",
      object: { kind: "PartialObjectMetadata", metadata: { name: "formed" } },
    });
  });

  test("is told by each of many watchers", async () => {
    const from = await create("shared");
    const query = `watch=true&resourceVersion=${from}`;
    const watching = Array.from({ length: 50 }, () => client.watch(`${MAPS}?${query}`, some(1)));
    await patch("shared", { data: { a: "1" } });
    const seen = await Promise.all(watching);
    expect(new Set(seen.map((events) => JSON.stringify(events)))).toHaveProperty("size", 1);
  });
});
