/** The proxy's image: Envoy of the host on a view of the host's file system, which also has nft. */

/** Entries for `config/images.yaml` (ARCHITECTURE.md). */
export interface ProxyImages {
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

const ENVOY = "/opt/lateen/bin/envoy";

/** `envoy` is the binary's absolute path on the host. Istio's published image means the same. */
export function proxyImages(paths: { envoy: string }): ProxyImages {
  return {
    hostImages: [
      {
        name: "lateen.dev/proxy",
        mounts: [{ source: paths.envoy, target: ENVOY }],
        entrypoint: [ENVOY],
        cmd: [],
        env: {},
        user: "1337:1337",
        workingDir: "/",
      },
    ],
    aliases: ["docker.io/istio", "registry.istio.io/release", "gcr.io/istio-release"].map(
      (registry) => ({ match: `${registry}/proxyv2*`, image: "lateen.dev/proxy:1" }),
    ),
  };
}
