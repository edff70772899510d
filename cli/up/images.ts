/** `config/images.yaml`: the images that a cluster knows without a registry. */

import path from "node:path";
import { dump } from "js-yaml";
import { bookinfoImages } from "#examples/bookinfo/images.ts";
import { proxyImages } from "#sidecar-injector/images.ts";

const ROOT = path.dirname(path.dirname(import.meta.dirname));

/** The file's text for this Envoy and the Node that runs now. */
export function imagesText(envoy: string): string {
  const proxy = proxyImages({ envoy });
  const bookinfo = bookinfoImages({
    node: process.execPath,
    programs: path.join(ROOT, "examples", "bookinfo"),
  });
  return dump({
    hostImages: [...proxy.hostImages, ...bookinfo.hostImages],
    aliases: [...proxy.aliases, ...bookinfo.aliases],
    layouts: [],
    mirrors: {},
  });
}
