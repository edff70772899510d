/**
 * Envoy's bootstrap as one JSON text for `--config-yaml`: there is no agent in the pod, so all that
 * Envoy must know before it reaches the discovery server is here. `$(NAME)` is filled in by the
 * kubelet from the container's environment.
 */

import { type InjectorConfig, PORTS, type RootCa } from "./config.ts";
import type { AppProbe } from "./probes.ts";
import type { ScrapeConfig } from "./prometheus.ts";
import type { ProxySettings } from "./settings.ts";
import { ADMIN, statusListener } from "./status-listener.ts";

/** Who the proxy is, as far as it is known when the pod is admitted. */
export interface ProxyNode {
  type: "sidecar" | "router";
  /** Canonical service name and namespace, for traces: `reviews.default`. */
  serviceCluster: string;
  /** Node metadata by Istio's names (LABELS, WORKLOAD_NAME, …). */
  metadata: Readonly<Record<string, unknown>>;
}

/** The app, as its proxy must know it from the start. */
export interface ProxiedApp {
  probes: readonly AppProbe[];
  scrape?: ScrapeConfig;
}

/** Where the container finds the certificate of the discovery server's authority. */
export const ROOT_CA_DIR = "/var/run/secrets/istio";
export const ROOT_CA_FILE = `${ROOT_CA_DIR}/root-cert.pem`;
export const BOOTSTRAP_OVERRIDE_DIR = "/etc/istio/custom-bootstrap";

const XDS = "xds-grpc";
const TYPE = "type.googleapis.com/envoy";

/**
 * The JSON text. Values of the pod are data: a `$(` in them is escaped, so that the kubelet expands
 * only what is written here.
 */
export function bootstrapText(
  node: ProxyNode,
  app: ProxiedApp,
  settings: ProxySettings,
  config: InjectorConfig,
): string {
  const { adminPort, proxy } = settings;
  const status =
    settings.statusPort === 0
      ? undefined
      : statusListener({
          // Data of the pod comes escaped; the address is the kubelet's to fill in.
          ...escaped(app),
          port: settings.statusPort,
          appAddress: config.probeDestination === "localhost" ? "127.0.0.1" : "$(INSTANCE_IP)",
        });
  const bootstrap = {
    node: nodeOf(node, config),
    admin: { address: address("127.0.0.1", adminPort), profile_path: "/dev/null" },
    dynamic_resources: dynamicResources(),
    typed_dns_resolver_config: dnsResolver(),
    static_resources: {
      listeners: [
        httpListener("health", PORTS.health, { from: "/healthz/ready", to: "/ready" }),
        httpListener("stats", PORTS.stats, { from: "/stats/prometheus", to: "/stats/prometheus" }),
        ...(status === undefined ? [] : [status.listener]),
      ],
      clusters: [
        adminCluster(adminPort),
        discoveryCluster(config, settings.discoveryAddress),
        ...(status?.clusters ?? []),
      ],
    },
    stats_config: {
      stats_tags: [...STATS_TAGS, ...proxy.extraStatTags.map(extraTag)],
      use_all_default_tags: false,
    },
    deferred_stat_options: { enable_deferred_creation_stats: true },
    layered_runtime: {
      layers: [
        {
          name: "static",
          static_layer: {
            // Patterns are bounded at admission; Envoy's own limit of 100 would refuse usual ones.
            "re2.max_program_size.error_level": 32_768,
            "re2.max_program_size.warn_level": 32_768,
            ...escaped(proxy.runtimeValues),
          },
        },
        { name: "admin", admin_layer: {} },
      ],
    },
    overload_manager: {
      resource_monitors: [
        {
          name: "envoy.resource_monitors.global_downstream_max_connections",
          typed_config: {
            "@type": `${TYPE}.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig`,
            max_active_downstream_connections: 2_147_483_647,
          },
        },
      ],
    },
    ...(config.logAsJson && {
      application_log_config: {
        log_format: {
          json_format: { level: "%l", time: "%Y-%m-%dT%T.%e%z", scope: "%n", msg: "%j" },
        },
      },
    }),
  };
  return JSON.stringify(bootstrap);
}

function nodeOf(node: ProxyNode, config: InjectorConfig): object {
  return {
    id:
      `${node.type}~$(INSTANCE_IP)~$(POD_NAME).$(POD_NAMESPACE)` +
      `~$(POD_NAMESPACE).svc.${config.clusterDomain}`,
    cluster: escapeExpansion(node.serviceCluster),
    metadata: {
      CLUSTER_ID: config.clusterId,
      ...(config.network !== "" && { NETWORK: config.network }),
      MESH_ID: config.meshId,
      ...escaped(node.metadata),
      NAMESPACE: "$(POD_NAMESPACE)",
      INSTANCE_IPS: "$(INSTANCE_IP)",
      SERVICE_ACCOUNT: "$(SERVICE_ACCOUNT)",
      NODE_NAME: "$(NODE_NAME)",
      // Nobody gives certificates to workloads yet: what is called speaks plain text.
      LATEEN_CERTIFICATE: "NONE",
    },
  };
}

/**
 * A question that meets a DNS process on its restart may get no answer and no refusal (the kernel
 * limits those): it is asked again after a second, not after the five of c-ares that grow to 15.
 */
function dnsResolver(): object {
  return {
    name: "envoy.network.dns_resolver.cares",
    typed_config: {
      "@type": `${TYPE}.extensions.network.dns_resolver.cares.v3.CaresDnsResolverConfig`,
      query_timeout_seconds: 1,
      query_tries: 3,
    },
  };
}

/** Delta ADS for everything. Readiness waits for the first answer, however long it takes. */
function dynamicResources(): object {
  const ads = { ads: {}, initial_fetch_timeout: "0s", resource_api_version: "V3" };
  return {
    ads_config: {
      api_type: "DELTA_GRPC",
      transport_api_version: "V3",
      set_node_on_first_message_only: true,
      grpc_services: [
        {
          envoy_grpc: {
            cluster_name: XDS,
            retry_policy: { retry_back_off: { base_interval: "0.2s", max_interval: "3s" } },
          },
        },
      ],
    },
    cds_config: ads,
    lds_config: ads,
  };
}

function discoveryCluster(config: InjectorConfig, discoveryAddress: string): object {
  const [host = "", port = ""] = discoveryAddress.split(":");
  return {
    name: XDS,
    cluster_type: {
      name: "envoy.cluster.dns",
      typed_config: {
        "@type": `${TYPE}.extensions.clusters.dns.v3.DnsCluster`,
        dns_lookup_family: "V4_ONLY",
        respect_dns_ttl: true,
        dns_refresh_rate: "5s",
        dns_failure_refresh_rate: { base_interval: "0.1s", max_interval: "2s" },
      },
    },
    connect_timeout: "1s",
    typed_extension_protocol_options: {
      "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
        "@type": `${TYPE}.extensions.upstreams.http.v3.HttpProtocolOptions`,
        explicit_http_config: {
          http2_protocol_options: { connection_keepalive: { interval: "30s", timeout: "10s" } },
        },
      },
    },
    upstream_connection_options: {
      tcp_keepalive: { keepalive_probes: 3, keepalive_time: 10, keepalive_interval: 5 },
    },
    transport_socket: {
      name: "envoy.transport_sockets.tls",
      typed_config: {
        "@type": `${TYPE}.extensions.transport_sockets.tls.v3.UpstreamTlsContext`,
        sni: config.discoveryName,
        common_tls_context: {
          alpn_protocols: ["h2"],
          tls_params: { tls_minimum_protocol_version: "TLSv1_2" },
          validation_context: {
            trusted_ca: trustedCa(config.rootCa),
            match_typed_subject_alt_names: [
              { san_type: "DNS", matcher: { exact: config.discoveryName } },
            ],
          },
        },
      },
    },
    load_assignment: {
      cluster_name: XDS,
      endpoints: [{ lb_endpoints: [{ endpoint: { address: address(host, Number(port)) } }] }],
    },
  };
}

function trustedCa(rootCa: RootCa): object {
  return rootCa.kind === "inline" ? { inline_string: rootCa.pem } : { filename: ROOT_CA_FILE };
}

function adminCluster(adminPort: number): object {
  return {
    name: ADMIN,
    type: "STATIC",
    connect_timeout: "0.25s",
    load_assignment: {
      cluster_name: ADMIN,
      endpoints: [{ lb_endpoints: [{ endpoint: { address: address("127.0.0.1", adminPort) } }] }],
    },
  };
}

/** Lets exactly one path of the admin server out of the pod. */
function httpListener(name: string, port: number, path: { from: string; to: string }): object {
  return {
    name,
    address: address("0.0.0.0", port),
    // Not INBOUND: draining inbound listeners must leave health and metrics alone.
    traffic_direction: "UNSPECIFIED",
    filter_chains: [
      {
        filters: [
          {
            name: "envoy.filters.network.http_connection_manager",
            typed_config: {
              "@type": `${TYPE}.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager`,
              stat_prefix: name,
              route_config: {
                virtual_hosts: [
                  {
                    name,
                    domains: ["*"],
                    routes: [
                      {
                        match: { path: path.from },
                        route: { cluster: ADMIN, prefix_rewrite: path.to },
                      },
                    ],
                  },
                ],
              },
              http_filters: [
                {
                  name: "envoy.filters.http.router",
                  typed_config: { "@type": `${TYPE}.extensions.filters.http.router.v3.Router` },
                },
              ],
            },
          },
        ],
      },
    ],
  };
}

/** Names end at `;` (Istio's delimiter) or, without one, at the cluster domain or the first dot. */
const NAME = "(.+?(?=;)|.+?\\.svc\\.cluster\\.local|[^.;]+);?";

const STATS_TAGS = [
  { tag_name: "cluster_name", regex: `^cluster\\.((?:${NAME})\\.)` },
  { tag_name: "tcp_prefix", regex: `^tcp\\.((?:${NAME})\\.)` },
  { tag_name: "http_conn_manager_prefix", regex: `^http\\.((?:${NAME})\\.)` },
  {
    tag_name: "http_conn_manager_listener_prefix",
    regex: `^listener(?=\\.).*?\\.http\\.((?:${NAME})\\.)`,
  },
  { tag_name: "listener_address", regex: "^listener\\.(([_.0-9]*|[_\\[\\]aAbBcCdDeEfF0-9]*)\\.)" },
  { tag_name: "response_code", regex: "_rq(_(\\d{3}))$" },
  { tag_name: "response_code_class", regex: "_rq(_(\\dxx))$" },
];

function address(host: string, port: number): object {
  return { socket_address: { address: host, port_value: port } };
}

/** A tag that Telemetry or the app puts into a statistic's name, in Istio's form `name.=.value;.`. */
function extraTag(name: string): object {
  return { tag_name: name, regex: `(${name}\\.=\\.(.*?);\\.)` };
}

/** Texts at any depth. */
function escaped<T>(value: T): T {
  return JSON.parse(escapeExpansion(JSON.stringify(value))) as T;
}

/** The kubelet turns `$$(` into `$(` without looking further. */
function escapeExpansion(text: string): string {
  return text.replaceAll("$(", "$$$$(");
}
