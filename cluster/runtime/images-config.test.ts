import { describe, expect, test } from "@jest/globals";
import {
  type ImagesConfig,
  findHostImage,
  parseImagesConfig,
  resolveAlias,
} from "./images-config.ts";
import { type ImageReference, formatReference, parseImageReference } from "./reference.ts";

function reference(text: string): ImageReference {
  const parsed = parseImageReference(text);
  if (!parsed.ok) throw new Error(parsed.message);
  return parsed.reference;
}

function config(text: string): ImagesConfig {
  const parsed = parseImagesConfig(text);
  if (!parsed.ok) throw new Error(parsed.problems.join());
  return parsed.config;
}

describe("images.yaml", () => {
  test("an empty file is valid", () => {
    expect(config("").hostImages).toEqual([]);
  });

  test("every problem is named with its path", () => {
    const parsed = parseImagesConfig(`
hostImages:
  - { name: "Bad Name", mounts: [{ source: relative, target: /x }], shape: round }
layouts: [1]
images: []
`);
    expect(parsed.ok ? [] : parsed.problems).toEqual([
      ".images: unknown field",
      "hostImages[0].shape: unknown field",
      expect.stringContaining("hostImages[0].name:"),
      "hostImages[0].mounts[0].source: must be an absolute path",
      "layouts[0]: must be a string",
      "layouts[0]: must be an absolute path",
    ]);
  });

  test("aliases: the first match wins, a star matches any rest, no tag means any tag", () => {
    const aliases = config(`
aliases:
  - { match: docker.io/istio/proxyv2, image: example.org/proxy }
  - { match: "docker.io/istio/examples-*", image: example.org/examples }
  - { match: "docker.io/library/nginx:1", image: example.org/one }
`);
    const resolve = (text: string): string =>
      formatReference(resolveAlias(aliases, reference(text)));
    expect(resolve("istio/proxyv2:1.31")).toBe("example.org/proxy:latest");
    expect(resolve("istio/examples-bookinfo-details-v1:1.20")).toBe("example.org/examples:latest");
    expect(resolve("nginx:1")).toBe("example.org/one:latest");
    expect(resolve("nginx:2")).toBe("docker.io/library/nginx:2");
  });

  test("a host image without a tag serves any tag, one with a tag its own", () => {
    const images = config("hostImages: [{ name: example.org/any }, { name: 'example.org/one:1' }]");
    expect(findHostImage(images, reference("example.org/any:7"))?.name).toBe("example.org/any");
    expect(findHostImage(images, reference("example.org/one:1"))?.name).toBe("example.org/one:1");
    expect(findHostImage(images, reference("example.org/one:2"))).toBeUndefined();
  });
});
