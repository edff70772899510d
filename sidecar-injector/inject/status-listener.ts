/**
 * What Istio's agent serves on port 15020, as a listener of Envoy: metrics (with the app's, merged),
 * readiness, the app's probes and `quitquitquit`. HTTP probes are passed on; connection and gRPC
 * checks are active health checks of Envoy, whose latest result is the answer.
 */

import type { HTTPGetAction } from "#cluster/api/generated/core-v1.ts";
import type { AppProbe } from "./probes.ts";
import type { ScrapeConfig } from "./prometheus.ts";

export interface StatusListenerOptions {
  port: number;
  probes: readonly AppProbe[];
  /** Where the app offers metrics of its own. */
  scrape?: ScrapeConfig;
  /** The app's address: `$(INSTANCE_IP)` or loopback. */
  appAddress: string;
}

const TYPE = "type.googleapis.com/envoy";
const HCM = `${TYPE}.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager`;
const FILTER = `${TYPE}.extensions.filters.http`;
const LUA = "envoy.filters.http.lua";
const APP_METRICS = "app-metrics";
/** Cluster of Envoy's own admin server. */
export const ADMIN = "prometheus_stats";

export interface StatusListener {
  listener: object;
  clusters: object[];
}

/** Data of the pod is in the result as it is: the caller escapes `$(`. */
export function statusListener(options: StatusListenerOptions): StatusListener {
  const { probes, scrape, appAddress } = options;
  const http = probes.filter(isHttp);
  const checked = probes.filter((probe) => probe.httpGet === undefined);
  const httpClusters = new Map(
    http.map(({ httpGet }) => [clusterOf(httpGet), appCluster(httpGet, appAddress)]),
  );
  const routes = [
    exact("/stats/prometheus", ADMIN, "/stats/prometheus", scrape && merged(scrape)),
    exact("/healthz/ready", ADMIN, "/ready"),
    ...http.map((probe) => probeRoute(probe, appAddress)),
  ];
  const filters = [
    ...checked.map(checkFilter),
    // Does nothing but on routes that say what.
    { name: LUA, typed_config: { "@type": `${FILTER}.lua.v3.Lua` } },
    {
      name: "envoy.filters.http.router",
      typed_config: { "@type": `${FILTER}.router.v3.Router`, suppress_envoy_headers: true },
    },
  ];
  const quit = exact("/quitquitquit", ADMIN, "/quitquitquit", script(QUIT));
  return {
    listener: {
      name: "agent",
      address: socket("0.0.0.0", options.port),
      // Not INBOUND: draining inbound listeners must leave probes and metrics alone.
      traffic_direction: "UNSPECIFIED",
      filter_chains: [
        // Only the pod itself may end its proxy: a Job whose proxy stands beside it does so at its end.
        {
          filter_chain_match: { source_type: "SAME_IP_OR_LOOPBACK" },
          filters: [manager([...routes, quit], filters)],
        },
        { filters: [manager(routes, filters)] },
      ],
    },
    clusters: [
      ...httpClusters.values(),
      ...checked.map((probe) => checkedCluster(probe, appAddress)),
      ...(scrape === undefined
        ? []
        : [{ ...fromProxy(APP_METRICS, appAddress, scrape.port), connect_timeout: "1s" }]),
    ],
  };
}

type HttpProbe = AppProbe & { httpGet: HTTPGetAction };

function isHttp(probe: AppProbe): probe is HttpProbe {
  return probe.httpGet !== undefined;
}

function manager(routes: object[], httpFilters: object[]): object {
  return {
    name: "envoy.filters.network.http_connection_manager",
    typed_config: {
      "@type": HCM,
      stat_prefix: "agent",
      // The app sees the kubelet's request, and the kubelet the app's answer.
      generate_request_id: false,
      skip_xff_append: true,
      server_header_transformation: "PASS_THROUGH",
      route_config: { virtual_hosts: [{ name: "agent", domains: ["*"], routes }] },
      http_filters: httpFilters,
    },
  };
}

function exact(from: string, cluster: string, to: string, more: object = {}): object {
  return { match: { path: from }, route: { cluster, prefix_rewrite: to, timeout: "0s" }, ...more };
}

function probeRoute({ path, httpGet }: HttpProbe, appAddress: string): object {
  const target = httpGet.path ?? "";
  const named = httpGet.httpHeaders?.some(({ name }) => name.toLowerCase() === "host") === true;
  return {
    match: { path },
    route: {
      cluster: clusterOf(httpGet),
      prefix_rewrite: target.startsWith("/") ? target : `/${target}`,
      timeout: "0s",
      ...(!named && { host_rewrite_literal: `${appAddress}:${httpGet.port}` }),
    },
    // A redirect is success; where it leads only makes sense on the app's own port.
    response_headers_to_remove: ["location"],
  };
}

function clusterOf({ scheme, port }: HTTPGetAction): string {
  return `app-probe|${scheme === "HTTPS" ? "https" : "http"}|${port}`;
}

function appCluster(action: HTTPGetAction, appAddress: string): object {
  return {
    ...fromProxy(clusterOf(action), appAddress, Number(action.port)),
    connect_timeout: "10s",
    ...(action.scheme === "HTTPS" && {
      // As the kubelet, Envoy doesn't verify the app's certificate.
      transport_socket: {
        name: "envoy.transport_sockets.tls",
        typed_config: {
          "@type": `${TYPE}.extensions.transport_sockets.tls.v3.UpstreamTlsContext`,
          common_tls_context: {},
        },
      },
    }),
  };
}

function checkFilter(probe: AppProbe): object {
  return {
    name: "envoy.filters.http.health_check",
    typed_config: {
      "@type": `${FILTER}.health_check.v3.HealthCheck`,
      pass_through_mode: false,
      headers: [{ name: ":path", string_match: { exact: probe.path } }],
      cluster_min_healthy_percentages: { [`app-check|${probe.path}`]: { value: 100 } },
    },
  };
}

/** Checked often enough that an answer is at most half a probe's period old. */
function checkedCluster(probe: AppProbe, appAddress: string): object {
  const { grpc, tcpSocket, timeoutSeconds = 1, periodSeconds = 10 } = probe;
  const port = Number(grpc?.port ?? tcpSocket?.port);
  const interval = `${Math.max(1, Math.min(5, Math.floor(periodSeconds / 2)))}s`;
  return {
    ...fromProxy(`app-check|${probe.path}`, appAddress, port),
    wait_for_warm_on_init: false,
    health_checks: [
      {
        timeout: `${timeoutSeconds}s`,
        interval,
        no_traffic_interval: interval,
        no_traffic_healthy_interval: interval,
        // What isn't there yet is looked for more often.
        unhealthy_interval: "1s",
        unhealthy_threshold: 1,
        healthy_threshold: 1,
        reuse_connection: false,
        ...(grpc === undefined
          ? { tcp_health_check: {} }
          : {
              grpc_health_check: {
                ...(grpc.service && { service_name: grpc.service }),
                authority: `${appAddress}:${port}`,
              },
            }),
      },
    ],
    ...(grpc !== undefined && {
      typed_extension_protocol_options: {
        "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
          "@type": `${TYPE}.extensions.upstreams.http.v3.HttpProtocolOptions`,
          explicit_http_config: { http2_protocol_options: {} },
        },
      },
    }),
  };
}

/** From the address whose connections the redirect lets pass to the app. */
function fromProxy(name: string, address: string, port: number): object {
  return {
    name,
    type: "STATIC",
    upstream_bind_config: { source_address: { address: "127.0.0.6", port_value: 0 } },
    load_assignment: {
      cluster_name: name,
      endpoints: [{ lb_endpoints: [{ endpoint: { address: socket(address, port) } }] }],
    },
  };
}

/** Adds the app's metrics to Envoy's; without an answer of the app, Envoy's alone are served. */
const MERGE = `function envoy_on_response(handle)
  local buffer = handle:body(true)
  local own = buffer:getBytes(0, buffer:length())
  local path = handle:metadata():get("path")
  local headers, body = handle:httpCall("${APP_METRICS}", {
    [":method"] = "GET", [":path"] = path, [":authority"] = "app",
    ["accept"] = "text/plain;version=0.0.4",
  }, nil, 5000)
  if headers[":status"] ~= "200" or body == nil then return end
  local size = handle:body(true):setBytes(own .. body)
  handle:headers():replace("content-length", size)
end
`;

/** The caller gets its answer before Envoy ends. */
const QUIT = `function envoy_on_request(handle)
  if handle:headers():get(":method") ~= "POST" then
    return handle:respond({[":status"] = "405"}, "POST it\\n")
  end
  handle:httpCall("${ADMIN}", {
    [":method"] = "POST", [":path"] = "/quitquitquit", [":authority"] = "localhost",
  }, "", 1000, true)
  handle:respond({[":status"] = "200"}, "OK")
end
`;

/** The app's path travels as data, never as text of the script. */
function merged({ path }: ScrapeConfig): object {
  return { metadata: { filter_metadata: { [LUA]: { path } } }, ...script(MERGE) };
}

function script(text: string): object {
  return {
    typed_per_filter_config: {
      [LUA]: { "@type": `${FILTER}.lua.v3.LuaPerRoute`, source_code: { inline_string: text } },
    },
  };
}

function socket(address: string, port: number): object {
  return { socket_address: { address, port_value: port } };
}
