/**
 * What the supervisor (`cli/up`) hands to each process as a JSON file (`main.ts CONFIG_FILE`).
 * A process prints the one line `READY` on stdout once it serves, logs to stderr, and ends cleanly
 * on SIGTERM.
 */

/** Address ranges of one cluster; all IPv4. */
export interface ClusterNetwork {
  /** Link between host, nodes and control plane, for example `10.130.0.0/24`. */
  fabricCidr: string;
  /** The host's address on the fabric: API server, pilot and DNS relay listen here. */
  hostAddress: string;
  /** Divided into one /24 a node. */
  podCidr: string;
  serviceCidr: string;
  /** Addresses of LoadBalancer Services. */
  loadBalancerCidr: string;
  /** ClusterIP of `kube-dns`. */
  dnsAddress: string;
  /** For example `cluster.local`. */
  clusterDomain: string;
  /** The fabric's network namespace (`ip netns`), which holds the bridge. */
  fabricNamespace: string;
  /** Name of the one link that the host gets. */
  hostLink: string;
}

export interface PkiFiles {
  /** PEM bundle of the cluster's certificate authority. */
  caFile: string;
  certFile: string;
  keyFile: string;
}

/** `cluster/main.ts`: API server, controllers, scheduler, injector webhook, ingress controller. */
export interface ControlPlaneConfig {
  clusterName: string;
  stateDir: string;
  network: ClusterNetwork;
  /** `host:port` pairs that the API server listens on (loopback and the fabric). */
  listen: { address: string; port: number }[];
  serving: PkiFiles;
  /** Signs certificates for clients and verifies them. */
  caKeyFile: string;
  /** Private key (PEM, EC P-256) that signs ServiceAccount tokens. */
  serviceAccountKeyFile: string;
  /** Client certificate with which the API server calls kubelets. */
  kubeletClient: PkiFiles;
  /** kubeconfig of the in-process controllers (group system:masters). */
  kubeconfig: string;
  /** SQLite file of the store. */
  storeFile: string;
  /** Loopback port of the injector's webhook, and its certificate for `127.0.0.1`. */
  webhookPort: number;
  webhookServing: PkiFiles;
  /** Where the discovery server is reached from pods: ADS over TLS, and debug over HTTP. */
  discovery: { address: string; port: number; httpPort: number };
  /** Port of the resolver on the host's fabric address that asks the host's own resolvers. */
  dnsRelayPort: number;
  /** Files that the localhost gateway (an Envoy on the host) watches; see `cluster/localhost`. */
  localhostDir: string;
}

/** `cluster/kubelet/main.ts`, started inside the node's network namespace: kubelet and proxy. */
export interface NodeConfig {
  clusterName: string;
  nodeName: string;
  stateDir: string;
  network: ClusterNetwork;
  /** The node's address on the fabric. */
  nodeAddress: string;
  /** The node's share of the pod range, a /24. */
  podCidr: string;
  kubeconfig: string;
  /** Serves the kubelet API on `nodeAddress`:10250; clients must have a certificate of the CA. */
  serving: PkiFiles;
  /** Prefix of pod network namespaces, for example `lateen-default-node-1-`. */
  podNamespacePrefix: string;
  /** Parent cgroup, relative to the controller roots, for example `lateen/default/node-1`. */
  cgroupParent: string;
  /** YAML file of image aliases and host images (`cluster/runtime`). */
  imagesFile: string;
}

/** `cluster/dns/main.ts`, started inside the node's network namespace. */
export interface DnsConfig {
  kubeconfig: string;
  network: ClusterNetwork;
  listen: { address: string; port: number };
  /** `address:port` of the next resolver; none answers SERVFAIL for foreign names. */
  upstreams: string[];
}

/** `pilot/main.ts` when it follows a cluster. */
export interface PilotConfig {
  clusterName: string;
  kubeconfig: string;
  clusterDomain: string;
  /** ADS over TLS; `serving` has the certificate for `istiod.istio-system.svc`. */
  listen: { address: string; port: number };
  serving: PkiFiles;
  /** Debug and metrics, HTTP. */
  http: { address: string; port: number };
  /** Validating webhook, HTTPS. */
  webhook: { address: string; port: number };
}
