/** The real Envoy's word on a configuration (`envoy --mode validate`). */

import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import type { EnvoyResource } from "#pilot/envoy/build.ts";

/**
 * Envoy by `ENVOY_PATH`, on the `PATH`, or in the product's cache; undefined where there is none.
 */
export function findEnvoy(): string | undefined {
  const cache = join(homedir(), ".cache", "lateen");
  const cached = existsSync(cache)
    ? readdirSync(cache)
        .filter((name) => name.startsWith("envoy-"))
        .toSorted((left, right) => (left < right ? 1 : -1))
        .map((name) => join(cache, name, "envoy"))
    : [];
  const onPath = (process.env.PATH ?? "").split(delimiter).map((folder) => join(folder, "envoy"));
  const own = process.env.ENVOY_PATH === undefined ? [] : [process.env.ENVOY_PATH];
  return [...own, ...onPath, ...cached].find((file) => existsSync(file));
}

const TIMEOUT_MS = 20_000;

/** Undefined when Envoy accepts all of the resources, else what it says. */
export async function validate(
  envoy: string,
  resources: readonly EnvoyResource[],
): Promise<string | undefined> {
  const folder = mkdtempSync(join(tmpdir(), "lateen-validate-"));
  try {
    const file = join(folder, "envoy.json");
    writeFileSync(file, JSON.stringify(bootstrap(resources)));
    return await run(envoy, ["--mode", "validate", "-c", file, "--log-level", "error"]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Everything as if it were static: route configurations in listeners of their own. */
function bootstrap(resources: readonly EnvoyResource[]): object {
  const of = (type: EnvoyResource["type"]): object[] =>
    [...new Map(resources.map((one) => [`${one.type} ${one.name}`, one])).values()]
      .filter((one) => one.type === type)
      .map((one) => one.message);
  return {
    node: { id: "validate", cluster: "validate" },
    dynamicResources: {
      adsConfig: {
        apiType: "GRPC",
        transportApiVersion: "V3",
        grpcServices: [{ envoyGrpc: { clusterName: "xds-grpc" } }],
      },
    },
    staticResources: {
      clusters: [grpcCluster("xds-grpc"), grpcCluster("sds-grpc"), ...of("cluster")],
      listeners: [
        ...of("listener"),
        ...of("route").map((route, at) => listenerFor(route, 40_000 + at)),
      ],
      secrets: of("secret"),
    },
  };
}

function grpcCluster(name: string): object {
  return {
    name,
    type: "STATIC",
    connectTimeout: "1s",
    typedExtensionProtocolOptions: {
      "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
        "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
        explicitHttpConfig: { http2ProtocolOptions: {} },
      },
    },
    loadAssignment: { clusterName: name },
  };
}

const MANAGER = "envoy.extensions.filters.network.http_connection_manager";

function listenerFor(routeConfig: object, portValue: number): object {
  const type = `type.googleapis.com/${MANAGER}.v3.HttpConnectionManager`;
  const router = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router";
  return {
    name: `routes-${portValue}`,
    address: { socketAddress: { address: "127.0.0.1", portValue } },
    filterChains: [
      {
        filters: [
          {
            name: "envoy.filters.network.http_connection_manager",
            typedConfig: {
              "@type": type,
              statPrefix: "validate",
              routeConfig,
              httpFilters: [
                { name: "envoy.filters.http.router", typedConfig: { "@type": router } },
              ],
            },
          },
        ],
      },
    ],
  };
}

/**
 * Standard output isn't a pipe of ours, because access logs that name it must be able to open it.
 */
function run(command: string, args: readonly string[]): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      stdio: ["ignore", "ignore", "pipe"],
      timeout: TIMEOUT_MS,
    });
    let output = "";
    child.stderr.on("data", (data: Buffer) => {
      if (output.length < 100_000) output += data.toString();
    });
    child.on("error", reject);
    child.on("close", (code) => resolve(code === 0 ? undefined : output));
  });
}
