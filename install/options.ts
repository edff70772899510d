/** What an installation can choose. */

export interface InstallOptions {
  /** `default`, or a name that goes into all names, so that two versions stand side by side. */
  revision: string;
  /** Image of `install/image/control-plane.Dockerfile`. */
  image: string;
  /** Image of `install/image/proxy.Dockerfile`. */
  proxyImage: string;
  imagePullPolicy: "Always" | "IfNotPresent" | "Never";
  imagePullSecrets: readonly string[];
  clusterName: string;
  clusterDomain: string;
  network: string;
  /** YAML of MeshConfig. */
  meshConfig: string;
  /** Replicas of the control plane and of the gateway, at least; they scale by their CPU. */
  replicas: { controlPlane: number; gateway: number };
  /** Whether the ingress gateway is installed. */
  gateway: boolean;
}

export const DEFAULT_OPTIONS: InstallOptions = {
  revision: "default",
  image: "lateen.dev/lateen:0.1.0",
  proxyImage: "lateen.dev/proxy:0.1.0",
  imagePullPolicy: "IfNotPresent",
  imagePullSecrets: [],
  clusterName: "Kubernetes",
  clusterDomain: "cluster.local",
  network: "",
  meshConfig: "accessLogFile: /dev/stdout\n",
  replicas: { controlPlane: 1, gateway: 1 },
  gateway: true,
};

/** The mesh's root namespace: pilot reads its settings there. */
export const NAMESPACE = "istio-system";

/** Ports of the control plane's pods, and Istio's numbers of its Service. */
export const MESH_PORTS = {
  ads: 15_012,
  http: 15_014,
  validation: 15_016,
  injection: 15_017,
} as const;

/** `istiod`, `istiod-canary`, … */
export function revisioned(name: string, revision: string): string {
  return revision === "default" ? name : `${name}-${revision}`;
}

/** Names that the serving certificate must carry; the last is asked for by proxies as SNI. */
export function servingNames({
  revision,
  clusterDomain,
}: Pick<InstallOptions, "revision" | "clusterDomain">): string[] {
  const name = revisioned("istiod", revision);
  return [
    `${name}.${NAMESPACE}.svc.${clusterDomain}`,
    `${name}.${NAMESPACE}`,
    `${name}.${NAMESPACE}.svc`,
  ];
}
