/** A real Envoy as a child of the test, fed by a discovery server. */

import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import http from "node:http";
import { tmpdir } from "node:os";
import path from "node:path";

export interface EnvoyNode {
  readonly id: string;
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly locality?: { readonly region?: string; readonly zone?: string };
  /** Of loopback: takes connections for other addresses, which PROXY headers name. */
  readonly redirectPort?: number;
}

/** How it asks, as its bootstrap calls it: delta or state of the world. */
export type ApiType = "DELTA_GRPC" | "GRPC";

export interface EnvoyProcess {
  /** The body of a page of its admin interface, with the status before it. */
  admin(page: string): Promise<string>;
  /** What it has logged so far, warnings and errors. */
  output(): string;
  stop(): Promise<void>;
}

/** A gateway: its listeners take plain connections on loopback without any redirection. */
export const GATEWAY: EnvoyNode = {
  id: "router~127.0.0.1~gateway-1.default~default.svc.cluster.local",
  metadata: { NAMESPACE: "default", LABELS: { istio: "test" }, LATEEN_CERTIFICATE: "NONE" },
};

/** Starts it; when it serves is for the caller to wait for. */
export function startEnvoy(
  binary: string,
  adsPort: number,
  node = GATEWAY,
  apiType: ApiType = "DELTA_GRPC",
): EnvoyProcess {
  const folder = mkdtempSync(path.join(tmpdir(), "lateen-ads-"));
  const socketPath = path.join(folder, "admin.sock");
  const file = path.join(folder, "bootstrap.json");
  writeFileSync(file, JSON.stringify(bootstrap(adsPort, socketPath, { node, apiType })));
  const arguments_ = ["-c", file, "--concurrency", "1", "--disable-hot-restart", "-l", "warning"];
  // Lines of access logs are there to be waited for, and 10 s is its own measure.
  arguments_.push("--file-flush-interval-msec", "50");
  const child = spawn(binary, arguments_, { stdio: ["ignore", "ignore", "pipe"] });
  let output = "";
  child.stderr.on("data", (chunk: Buffer) => (output += chunk.toString()));
  return {
    admin: async (page) => {
      const { status, body } = await get({ socketPath, path: page });
      return `${status} ${body}`;
    },
    output: () => output,
    stop: async () => {
      const ended = new Promise((resolve) => child.once("exit", resolve));
      child.kill("SIGKILL");
      await ended;
      rmSync(folder, { recursive: true });
    },
  };
}

export interface Answer {
  readonly status: number;
  readonly body: string;
  readonly headers: http.IncomingHttpHeaders;
}

/** One request on a connection of its own. */
export function get(options: http.RequestOptions): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = http.get({ agent: false, ...options }, (response) => {
      let body = "";
      response.on("data", (chunk: Buffer) => (body += chunk.toString()));
      response.on("end", () => {
        resolve({ status: response.statusCode ?? 0, body, headers: response.headers });
      });
    });
    request.on("error", reject);
  });
}

function bootstrap(
  adsPort: number,
  socketPath: string,
  { node: envoyNode, apiType }: { node: EnvoyNode; apiType: ApiType },
): object {
  const { redirectPort, ...node } = envoyNode;
  return {
    node: { cluster: "gateway", ...node },
    admin: { address: { pipe: { path: socketPath } } },
    dynamic_resources: {
      ads_config: {
        api_type: apiType,
        transport_api_version: "V3",
        grpc_services: [{ envoy_grpc: { cluster_name: "xds-grpc" } }],
      },
      cds_config: { ads: {}, resource_api_version: "V3" },
      lds_config: { ads: {}, resource_api_version: "V3" },
    },
    static_resources: {
      clusters: [adsCluster(adsPort)],
      ...(redirectPort === undefined ? {} : { listeners: [redirection(redirectPort)] }),
    },
  };
}

/** What the kernel's redirection is to a sidecar, without a network namespace. */
function redirection(port: number): object {
  return {
    name: "redirection",
    address: { socket_address: { address: "127.0.0.1", port_value: port } },
    use_original_dst: true,
    listener_filters: [
      {
        name: "envoy.filters.listener.proxy_protocol",
        typed_config: {
          "@type":
            "type.googleapis.com/envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol",
        },
      },
    ],
    filter_chains: [{ filters: [] }],
  };
}

function adsCluster(port: number): object {
  const address = { socket_address: { address: "127.0.0.1", port_value: port } };
  return {
    name: "xds-grpc",
    type: "STATIC",
    typed_extension_protocol_options: {
      "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
        "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
        explicit_http_config: { http2_protocol_options: {} },
      },
    },
    load_assignment: {
      cluster_name: "xds-grpc",
      endpoints: [{ lb_endpoints: [{ endpoint: { address } }] }],
    },
  };
}
