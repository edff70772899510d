/** Pilot and injector as one Deployment, with all that it stands on. */

import { dump } from "js-yaml";
import type { Deployment } from "#cluster/api/generated/apps-v1.ts";
import type { HorizontalPodAutoscaler } from "#cluster/api/generated/autoscaling-v2.ts";
import type { ConfigMap, PodSpec, Service } from "#cluster/api/generated/core-v1.ts";
import type { PodDisruptionBudget } from "#cluster/api/generated/policy-v1.ts";
import { webhookManifest } from "#pilot/validate/manifest.ts";
import { manifest as injectorManifest } from "#sidecar-injector/webhook/manifest.ts";
import { type InstallOptions, MESH_PORTS, NAMESPACE, revisioned } from "./options.ts";
import { clusterRules, namespaceRules } from "./rbac.ts";

const RBAC = "rbac.authorization.k8s.io";
const ACCOUNT = "istiod";

/** In the order in which they should be made. */
export function controlPlane(options: InstallOptions): object[] {
  const { revision } = options;
  const name = revisioned("istiod", revision);
  const metadata = { name, namespace: NAMESPACE, labels: labelsOf(revision) };
  return [
    ...rbac(),
    ...configMaps(options),
    service(metadata),
    deployment(metadata, options),
    budget(metadata),
    autoscaler(metadata, options.replicas.controlPlane),
    injectorManifest({
      client: { service: { ...serviceAt(revision), path: "/inject", port: 443 } },
      revision,
      name: revisioned("istio-sidecar-injector", revision),
      meshNamespace: NAMESPACE,
    }),
    webhookManifest({ at: { service: validationAt(revision) } }),
  ];
}

/** How pilot's validating webhook is reached; pilot itself says the same at its start. */
export function validationAt(revision: string): { name: string; namespace: string; port: number } {
  return { ...serviceAt(revision), port: MESH_PORTS.validation };
}

function serviceAt(revision: string): { name: string; namespace: string } {
  return { name: revisioned("istiod", revision), namespace: NAMESPACE };
}

function labelsOf(revision: string): Record<string, string> {
  return { app: "istiod", istio: "pilot", "istio.io/rev": revision };
}

interface Meta {
  name: string;
  namespace: string;
  labels: Record<string, string>;
}

function rbac(): object[] {
  const metadata = { name: ACCOUNT, namespace: NAMESPACE, labels: { app: "istiod" } };
  const cluster = { name: `${ACCOUNT}-${NAMESPACE}`, labels: { app: "istiod" } };
  const subjects = [{ kind: "ServiceAccount", name: ACCOUNT, namespace: NAMESPACE }];
  const roleRef = (kind: string, name: string): object => ({ apiGroup: RBAC, kind, name });
  const apiVersion = `${RBAC}/v1`;
  return [
    { apiVersion: "v1", kind: "ServiceAccount", metadata },
    { apiVersion, kind: "ClusterRole", metadata: cluster, rules: clusterRules() },
    {
      apiVersion,
      kind: "ClusterRoleBinding",
      metadata: cluster,
      roleRef: roleRef("ClusterRole", cluster.name),
      subjects,
    },
    { apiVersion, kind: "Role", metadata, rules: namespaceRules() },
    { apiVersion, kind: "RoleBinding", metadata, roleRef: roleRef("Role", ACCOUNT), subjects },
  ];
}

/** Both are read by every revision. */
function configMaps(options: InstallOptions): ConfigMap[] {
  const meta = (name: string): Meta => ({ name, namespace: NAMESPACE, labels: { app: "istiod" } });
  const values = {
    global: {
      imagePullPolicy: options.imagePullPolicy,
      imagePullSecrets: [...options.imagePullSecrets],
      multiCluster: { clusterName: options.clusterName },
      network: options.network,
      proxy: { image: options.proxyImage, clusterDomain: options.clusterDomain },
    },
  };
  return [
    {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: meta("istio"),
      data: { mesh: options.meshConfig },
    },
    {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: meta("istio-sidecar-injector"),
      data: { config: "policy: enabled\n", values: dump(values) },
    },
  ];
}

function service(metadata: Meta): Service {
  const port = (name: string, number: number, target = number): object => ({
    name,
    port: number,
    targetPort: target,
    protocol: "TCP",
  });
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata,
    spec: {
      selector: metadata.labels,
      ports: [
        port("tls-xds", MESH_PORTS.ads),
        port("https-webhook", 443, MESH_PORTS.injection),
        port("https-validation", MESH_PORTS.validation),
        port("http-monitoring", MESH_PORTS.http),
      ] as NonNullable<NonNullable<Service["spec"]>["ports"]>,
    },
  };
}

function deployment(metadata: Meta, options: InstallOptions): Deployment {
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata,
    spec: {
      // The number is the autoscaler's to choose.
      strategy: {
        type: "RollingUpdate",
        rollingUpdate: { maxSurge: "100%", maxUnavailable: "25%" },
      },
      selector: { matchLabels: metadata.labels },
      template: {
        metadata: {
          labels: { ...metadata.labels, "sidecar.istio.io/inject": "false" },
          annotations: {
            "prometheus.io/scrape": "true",
            "prometheus.io/port": String(MESH_PORTS.http),
            "prometheus.io/path": "/metrics",
          },
        },
        spec: podSpec(options),
      },
    },
  };
}

function podSpec(options: InstallOptions): PodSpec {
  const { revision, clusterDomain, imagePullSecrets } = options;
  return {
    serviceAccountName: ACCOUNT,
    ...(imagePullSecrets.length > 0 && {
      imagePullSecrets: imagePullSecrets.map((name) => ({ name })),
    }),
    securityContext: { runAsNonRoot: true, runAsUser: 1337, runAsGroup: 1337, fsGroup: 1337 },
    containers: [
      {
        name: "discovery",
        image: options.image,
        imagePullPolicy: options.imagePullPolicy,
        args: ["mesh", "--revision", revision, "--cluster-domain", clusterDomain],
        ports: [
          { name: "tls-xds", containerPort: MESH_PORTS.ads, protocol: "TCP" },
          { name: "http-monitoring", containerPort: MESH_PORTS.http, protocol: "TCP" },
          { name: "https-webhook", containerPort: MESH_PORTS.injection, protocol: "TCP" },
          { name: "validation", containerPort: MESH_PORTS.validation, protocol: "TCP" },
        ],
        // The injector listens once pilot serves.
        readinessProbe: {
          httpGet: { path: "/ready", port: MESH_PORTS.injection, scheme: "HTTPS" },
          periodSeconds: 3,
          timeoutSeconds: 5,
        },
        resources: { requests: { cpu: "200m", memory: "512Mi" } },
        securityContext: {
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          runAsNonRoot: true,
          capabilities: { drop: ["ALL"] },
        },
        volumeMounts: [{ name: "tmp", mountPath: "/tmp" }],
      },
    ],
    // Its certificate and key, in memory.
    volumes: [{ name: "tmp", emptyDir: { medium: "Memory", sizeLimit: "64Mi" } }],
  };
}

function budget(metadata: Meta): PodDisruptionBudget {
  return {
    apiVersion: "policy/v1",
    kind: "PodDisruptionBudget",
    metadata,
    // One at a time: with a single replica, a node can still be drained.
    spec: { maxUnavailable: 1, selector: { matchLabels: metadata.labels } },
  };
}

/** For a Deployment of the same name. */
export function autoscaler(metadata: Meta, minReplicas: number): HorizontalPodAutoscaler {
  return {
    apiVersion: "autoscaling/v2",
    kind: "HorizontalPodAutoscaler",
    metadata,
    spec: {
      minReplicas,
      maxReplicas: Math.max(5, minReplicas),
      scaleTargetRef: { apiVersion: "apps/v1", kind: "Deployment", name: metadata.name },
      metrics: [
        {
          type: "Resource",
          resource: { name: "cpu", target: { type: "Utilization", averageUtilization: 80 } },
        },
      ],
    },
  };
}
