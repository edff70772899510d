import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import {
  mkdir,
  mkdtemp,
  readFile,
  readdir,
  readlink,
  realpath,
  rm,
  stat,
  symlink,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Pod, Volume } from "#cluster/api/generated/core-v1.ts";
import { writeAtomically } from "./atomic-writer.ts";
import { type FileSources, type VolumeFile, volumeFiles } from "./files.ts";
import { resolveSubPath } from "./sub-path.ts";

const POD: Pod = { metadata: { name: "example", namespace: "default", labels: { app: "x" } } };
const SOURCES: FileSources = {
  configMap: (name) =>
    name === "settings" ? { metadata: { name }, data: { a: "1", b: "2" } } : undefined,
  secret: () => undefined,
  token: () => "token",
  facts: {
    nodeName: "node-1",
    nodeAddress: "192.0.2.1",
    allocatable: { cpu: "1", memory: "1Gi", "ephemeral-storage": "1Gi" },
  },
  podIp: undefined,
};

describe("files of a volume", () => {
  const files = (volume: Omit<Volume, "name">) => {
    const result = volumeFiles(POD, { name: "v", ...volume }, SOURCES);
    if (!result.ok) return result.message;
    return [...result.files].map(
      ([path, { content, mode }]) => `${path} ${mode.toString(8)} ${content.toString()}`,
    );
  };

  test("keys, chosen items, modes and projections", () => {
    expect(files({ configMap: { name: "settings" } })).toEqual(["a 644 1", "b 644 2"]);
    const items = [{ key: "b", path: "deep/b", mode: 0o400 }];
    expect(files({ configMap: { name: "settings", items } })).toEqual(["deep/b 400 2"]);
    const sources = [
      { serviceAccountToken: { path: "token" } },
      { secret: { name: "gone", optional: true } },
      {
        downwardAPI: {
          items: [{ path: "app", fieldRef: { fieldPath: "metadata.labels['app']" } }],
        },
      },
    ];
    expect(files({ projected: { defaultMode: 0o440, sources } })).toEqual([
      "token 440 token",
      "app 440 x",
    ]);
  });

  test("what is missing or leads out is an error", () => {
    expect(files({ secret: { secretName: "gone" } })).toBe('secret "gone" not found');
    const gone = [{ key: "c", path: "c" }];
    expect(files({ configMap: { name: "settings", items: gone } })).toBe(
      "references non-existent config key: c",
    );
    for (const path of ["../x", "/x", "a/../../x", "..data"]) {
      const items = [{ key: "a", path }];
      expect(files({ configMap: { name: "settings", items } })).toMatch(/must not begin|leads out/);
    }
  });
});

describe("on disk", () => {
  let dir: string;

  beforeEach(async () => {
    dir = await realpath(await mkdtemp(join(tmpdir(), "lt-h4-volumes-")));
  });
  afterEach(() => rm(dir, { recursive: true }));

  const file = (text: string): VolumeFile => ({ content: Buffer.from(text), mode: 0o640 });

  test("files are swapped at once, and old ones go", async () => {
    await writeAtomically(
      dir,
      new Map([
        ["a", file("1")],
        ["d/b", file("2")],
      ]),
      undefined,
    );
    const first = await readlink(join(dir, "..data"));
    expect(await readFile(join(dir, "d", "b"), "utf8")).toBe("2");
    expect((await stat(join(dir, "a"))).mode & 0o777).toBe(0o640);
    await writeAtomically(dir, new Map([["a", file("3")]]), undefined);
    expect(await readFile(join(dir, "a"), "utf8")).toBe("3");
    expect(await readdir(dir)).not.toContain("d");
    expect(await readdir(dir)).not.toContain(first);
  });

  test("a subPath stays in its volume, whatever links say", async () => {
    const volume = join(dir, "volume");
    await mkdir(join(volume, "inside"), { recursive: true });
    await symlink("inside", join(volume, "link"));
    await symlink("/etc", join(volume, "out"));
    await symlink("/nonexistent/x", join(volume, "dangling"));
    expect(await resolveSubPath(volume, "link")).toBe(join(volume, "inside"));
    expect(await resolveSubPath(volume, "new/folder")).toBe(join(volume, "new", "folder"));
    for (const path of ["../x", "/etc", "out", "out/ssl", "inside/../../x", "dangling"]) {
      await expect(resolveSubPath(volume, path)).rejects.toThrow(/subPath/);
    }
  });
});
