/** The demo's images: Node and the programs of this folder, and Istio's published names for them. */

import path from "node:path";

/** Entries for `config/images.yaml` (ARCHITECTURE.md). */
export interface BookinfoImages {
  hostImages: {
    name: string;
    mounts: { source: string; target: string }[];
    entrypoint: string[];
    cmd: string[];
    env: Record<string, string>;
    user: string;
    workingDir: string;
  }[];
  aliases: { match: string; image: string }[];
}

interface Program {
  /** After `bookinfo-`. */
  image: string;
  file: string;
  env: Record<string, string>;
  /** After `examples-bookinfo-`. */
  istio: string;
}

const PROGRAMS: readonly Program[] = [
  { image: "productpage", file: "productpage.js", env: {}, istio: "productpage-v1" },
  { image: "details", file: "details.js", env: {}, istio: "details-v1" },
  { image: "ratings", file: "ratings.js", env: {}, istio: "ratings-v1" },
  { image: "reviews-v1", file: "reviews.js", env: reviews("v1"), istio: "reviews-v1" },
  { image: "reviews-v2", file: "reviews.js", env: reviews("v2", "black"), istio: "reviews-v2" },
  { image: "reviews-v3", file: "reviews.js", env: reviews("v3", "red"), istio: "reviews-v3" },
];

const REGISTRIES = ["docker.io/istio", "registry.istio.io/release", "gcr.io/istio-release"];
const NODE = "/opt/lateen/bin/node";
const FOLDER = "/opt/lateen/bookinfo";
const USER = "1000:1000";

/**
 * `node` is the absolute path of Node, `programs` that of this folder. A pod may
 * set any of the variables itself.
 */
export function bookinfoImages(paths: { node: string; programs: string }): BookinfoImages {
  return {
    hostImages: PROGRAMS.map(({ image, file, env }) => ({
      name: `lateen.dev/bookinfo-${image}`,
      mounts: [
        { source: paths.node, target: NODE },
        { source: path.join(paths.programs, "programs"), target: FOLDER },
      ],
      entrypoint: [NODE, "--max-old-space-size=64", "--max-semi-space-size=2"],
      cmd: [`${FOLDER}/${file}`],
      env,
      user: USER,
      workingDir: "/",
    })),
    aliases: PROGRAMS.flatMap(({ image, istio }) =>
      REGISTRIES.map((registry) => ({
        match: `${registry}/examples-bookinfo-${istio}*`,
        image: `lateen.dev/bookinfo-${image}:1`,
      })),
    ),
  };
}

function reviews(version: string, color?: string): Record<string, string> {
  return {
    SERVICE_VERSION: version,
    ENABLE_RATINGS: String(color !== undefined),
    ...(color !== undefined && { STAR_COLOR: color }),
  };
}
