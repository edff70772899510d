import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { appendFile, cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { type Server, createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type ImagesConfig, EMPTY_IMAGES_CONFIG } from "./images-config.ts";
import { ImageError } from "./image.ts";
import { ImageStore } from "./image-store.ts";
import { run } from "./process.ts";
import {
  type RuntimeFixture,
  createRuntimeFixture,
  missingForContainers,
} from "./testing/runtime-fixture.ts";
import { type TestImage, buildTestImage, writeLayout } from "./testing/test-image.ts";
import { readLog } from "./log-reader.ts";

const missing = await missingForContainers();
if (missing !== undefined) process.stderr.write(`unpacking of images is skipped: ${missing}\n`);
const describeReal = missing === undefined ? describe : describe.skip;

describeReal("images of layers", () => {
  let folder: string;
  let image: TestImage;
  let registry: Server;
  let host: string;
  const requests: string[] = [];

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "lt-h4-images-"));
    image = await buildTestImage(await layers(folder));
    registry = createServer((request, response) => {
      requests.push(`${request.method} ${request.url}`);
      if (request.url?.startsWith("/token") === true) {
        response.end(JSON.stringify({ token: "granted" }));
      } else if (request.headers.authorization !== "Bearer granted") {
        const realm = `http://${host}/token`;
        const challenge = `Bearer realm="${realm}",service="test",scope="repository:x:pull"`;
        response.writeHead(401, { "www-authenticate": challenge }).end();
      } else {
        const name = request.url?.split("/").at(-1) ?? "";
        const content = name === "1" ? image.manifest : image.blobs.get(name);
        if (content === undefined) response.writeHead(404).end();
        else response.end(name === "bad" ? "tampered" : content);
      }
    });
    await new Promise<void>((resolve) => registry.listen(0, "127.0.0.1", resolve));
    host = `127.0.0.1:${(registry.address() as AddressInfo).port}`;
  });
  afterAll(async () => {
    registry.close();
    await rm(folder, { recursive: true });
  });

  function store(name: string, config: Partial<ImagesConfig> = {}): ImageStore {
    return new ImageStore({
      imagesDir: join(folder, name),
      config: () => Promise.resolve({ ...EMPTY_IMAGES_CONFIG, ...config }),
      onProblem: () => undefined,
    });
  }

  const ensure = (images: ImageStore, reference: string) =>
    images.ensure({
      reference,
      refresh: false,
      credentials: new Map(),
      signal: AbortSignal.timeout(4000),
    });

  test("a pull asks for a token, verifies digests and happens once", async () => {
    const images = store("pulled");
    const [first, second] = await Promise.all([
      ensure(images, `${host}/team/x:1`),
      ensure(images, `${host}/team/x:1`),
    ]);
    expect(first).toMatchObject({
      ref: `${host}/team/x@${image.manifestDigest}`,
      config: { user: "example", env: { FROM: "image" } },
    });
    expect(second).toEqual(first);
    const asked = requests.length;
    expect((await ensure(images, `${host}/team/x:1`)).id).toBe(first.id);
    expect(requests.length).toBe(asked);
    expect(requests.filter((request) => request.includes("/blobs/"))).toHaveLength(3);
  });

  test("a missing tag is ErrImagePull that says where it was looked for", async () => {
    await expect(ensure(store("missing"), `${host}/team/x:2`)).rejects.toMatchObject({
      reason: "ErrImagePull",
      message: expect.stringMatching(/team\/x:2: not found on 127\.0\.0\.1/),
    });
    await expect(ensure(store("missing"), "UPPER")).rejects.toBeInstanceOf(ImageError);
  });

  test("a mirror is asked first", async () => {
    const images = store("mirrored", { mirrors: new Map([["example.org", [host]]]) });
    expect((await ensure(images, "example.org/team/x:1")).ref).toContain("example.org/team/x@");
  });

  test("layouts and archives below a folder are images by their names", async () => {
    const layouts = join(folder, "layouts");
    await writeLayout(join(layouts, "one"), image, "example.org/one:1");
    const packed = join(folder, "packed");
    await writeLayout(packed, image, "example.org/two:1");
    await run("tar", ["--create", `--file=${layouts}/two.tar`, `--directory=${packed}`, "."]);
    const images = store("layouts-cache", { layouts: [layouts] });
    expect((await images.findLocal("example.org/one:1"))?.id).toMatch(/^sha256:/);
    expect((await images.findLocal("example.org/two:1"))?.id).toMatch(/^sha256:/);
    expect(await images.findLocal("example.org/three:1")).toBeUndefined();
  });

  test("a container sees its layers, with what upper ones have removed", async () => {
    const fixture: RuntimeFixture = await createRuntimeFixture();
    try {
      const layouts = join(folder, "layouts");
      await appendFile(join(fixture.stateDir, "images.yaml"), `layouts: [${layouts}]\n`);
      const { containers, images } = fixture.runtime;
      const found = await images.findLocal("example.org/one:1");
      if (found === undefined) throw new Error("the image is not there");
      const logPath = join(fixture.stateDir, "image.log");
      const command = ["/bin/sh", "-c", SCRIPT];
      const config = await fixture.config("", { image: found, logPath, command, args: [] });
      const id = await containers.createContainer(config);
      await containers.startContainer(id);
      let text = "";
      const options = { follow: true, timestamps: false, signal: AbortSignal.timeout(4000) };
      const isRunning = (): boolean => containers.get(id)?.state === "running";
      for await (const piece of readLog(logPath, { ...options, isRunning })) text += piece;
      expect(text).toBe("/data/..wh.link /data/kept /data/new /opaque/after 1234 image\n");
      await expect(readFile(join(folder, "escaped"))).rejects.toThrow("ENOENT");
    } finally {
      await fixture.close();
    }
  });
});

const SCRIPT = `
while read key uid rest; do [ "$key" = Uid: ] && break; done < /proc/self/status
echo /data/..w* /data/* /opaque/* $uid $FROM`;

/** Two layers with a shell; the upper one removes a file and empties a folder. */
async function layers(folder: string): Promise<string[]> {
  const lower = join(folder, "lower");
  const upper = join(folder, "upper");
  const shell = await run("ldd", ["/bin/sh"]);
  const libraries = shell.stdout.match(/\/\S+/g) ?? [];
  for (const file of ["/bin/sh", ...libraries]) {
    await mkdir(join(lower, dirname(file)), { recursive: true });
    await cp(file, join(lower, file), { dereference: true });
  }
  for (const [path, text] of Object.entries({
    "data/kept": "",
    "data/removed": "",
    "opaque/before": "",
    "etc/passwd": "example:x:1234:1234::/:/bin/sh\n",
  })) {
    await mkdir(dirname(join(lower, path)), { recursive: true });
    await writeFile(join(lower, path), text);
  }
  for (const path of ["data/new", "data/.wh.removed", "opaque/after", "opaque/.wh..wh..opq"]) {
    await mkdir(dirname(join(upper, path)), { recursive: true });
    await writeFile(join(upper, path), "");
  }
  await symlink(join(folder, "escaped"), join(upper, "data", "..wh.link"));
  return [lower, upper];
}
