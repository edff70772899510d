import { mkdtemp, mkdir, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { waitUntil } from "#cluster/client/testing/wait-until.ts";
import type { Change } from "#pilot/model/change.ts";
import { keyOfChange } from "#pilot/model/change.ts";
import { startDirectorySource } from "./directory-source.ts";
import { ObjectFeed } from "./object-feed.ts";

const namespace = (name: string, labels = ""): string =>
  `apiVersion: v1\nkind: Namespace\nmetadata: {name: ${name}, labels: {x: "${labels}"}}\n`;

let directory: string;
let abort: AbortController;
let world: Map<string, Change>;
let logged: string[];

beforeEach(async () => {
  directory = await mkdtemp(path.join(tmpdir(), "lateen-config-"));
  abort = new AbortController();
  world = new Map();
  logged = [];
});

afterEach(async () => {
  abort.abort();
  await rm(directory, { recursive: true });
});

async function start(): Promise<void> {
  const log = (line: string): void => void logged.push(line);
  const feed = new ObjectFeed({
    clusterDomain: "cluster.local",
    log,
    apply(changes) {
      for (const change of changes) world.set(keyOfChange(change), change);
    },
  });
  const check = (): [] => [];
  await startDirectorySource({ directory, feed, check, log, signal: abort.signal });
}

const write = (name: string, text: string): Promise<void> =>
  writeFile(path.join(directory, name), text);

/** The labels of a namespace in the world; undefined when it isn't there. */
function label(name: string): string | undefined {
  const change = world.get(`Namespace//${name}`);
  if (change?.type !== "upsert" || change.object.kind !== "Namespace") return undefined;
  return change.object.labels["x"];
}

describe("a folder of YAML", () => {
  test("is delivered wholly before the start resolves", async () => {
    await mkdir(path.join(directory, "deep"));
    await write("a.yaml", `${namespace("a", "1")}---\n${namespace("b", "1")}`);
    await write("deep/c.yml", namespace("c", "1"));
    await write(".hidden.yaml", namespace("hidden"));
    await start();
    expect([label("a"), label("b"), label("c"), label("hidden")]).toEqual([
      "1",
      "1",
      "1",
      undefined,
    ]);
  });

  test("is followed: written, replaced, removed files and new folders", async () => {
    await write("a.yaml", namespace("a", "1"));
    await start();
    await write("a.yaml", namespace("a", "2"));
    await waitUntil("the change is seen", () => label("a") === "2");
    await write("new.tmp", namespace("a", "3"));
    await rename(path.join(directory, "new.tmp"), path.join(directory, "a.yaml"));
    await waitUntil("the change is seen", () => label("a") === "3");
    await rm(path.join(directory, "a.yaml"));
    await waitUntil("the change is seen", () => label("a") === undefined);
    await mkdir(path.join(directory, "later"));
    await write("later/b.yaml", namespace("b", "1"));
    await waitUntil("the change is seen", () => label("b") === "1");
  });

  test("keeps the objects of a file that breaks, and says where it is broken", async () => {
    await write("a.yaml", `${namespace("a", "1")}---\n${namespace("b", "1")}`);
    await start();
    await write("a.yaml", `${namespace("a", "2")}---\nkind: {\n`);
    await waitUntil("the change is seen", () =>
      logged.some((line) => line.includes("stay in force")),
    );
    expect(logged[0]).toContain(`${path.join(directory, "a.yaml")}: document 2:`);
    expect([label("a"), label("b")]).toEqual(["1", "1"]);
    await write("a.yaml", namespace("a", "3"));
    await waitUntil("the change is seen", () => label("a") === "3" && label("b") === undefined);
  });

  test("takes an object that is in two files from the first, and from the other when it goes", async () => {
    await write("1.yaml", namespace("a", "one"));
    await write("2.yaml", namespace("a", "two"));
    await start();
    expect(label("a")).toBe("one");
    expect(logged).toHaveLength(1);
    await rm(path.join(directory, "1.yaml"));
    await waitUntil("the change is seen", () => label("a") === "two");
  });

  test("takes the mesh's configuration from its own file, as istiod does", async () => {
    await write("meshconfig.yaml", "rootNamespace: config\noutboundTrafficPolicy: {}\n");
    await start();
    const change = world.get("MeshConfig//mesh");
    expect(change?.type === "upsert" ? change.object : undefined).toMatchObject({
      mesh: { rootNamespace: "config", outboundTrafficPolicy: "REGISTRY_ONLY" },
    });
    expect(logged).toEqual([]);
  });

  test("that doesn't exist is an error", async () => {
    await rm(directory, { recursive: true });
    await expect(start()).rejects.toThrow("ENOENT");
    await mkdir(directory);
  });
});
