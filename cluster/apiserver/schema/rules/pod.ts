/** Pods, their containers and volumes (core/v1), as pod templates have them too. */

import { FILE_MODE, NOT_NEGATIVE, oneOf, PORT, REQUIRED, type TypeRules } from "./rule.ts";

const CORE = "io.k8s.api.core.v1";

const CONTAINER: TypeRules = {
  name: REQUIRED,
  terminationMessagePath: { default: "/dev/termination-log" },
  terminationMessagePolicy: oneOf(["FallbackToLogsOnError", "File"], "File"),
  imagePullPolicy: oneOf(["Always", "IfNotPresent", "Never"]),
  resources: { default: {} },
};

const PROBE: TypeRules = {
  initialDelaySeconds: NOT_NEGATIVE,
  timeoutSeconds: { ...NOT_NEGATIVE, default: 1 },
  periodSeconds: { ...NOT_NEGATIVE, default: 10 },
  successThreshold: { ...NOT_NEGATIVE, default: 1 },
  failureThreshold: { ...NOT_NEGATIVE, default: 3 },
};

export const POD_RULES: Readonly<Record<string, TypeRules>> = {
  [`${CORE}.Pod`]: { spec: REQUIRED },
  [`${CORE}.PodSpec`]: {
    containers: REQUIRED,
    restartPolicy: oneOf(["Always", "Never", "OnFailure"], "Always"),
    dnsPolicy: oneOf(
      ["ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"],
      "ClusterFirst",
    ),
    terminationGracePeriodSeconds: { ...NOT_NEGATIVE, default: 30 },
    activeDeadlineSeconds: { minimum: 1, maximum: 2147483647 },
    schedulerName: { default: "default-scheduler" },
    securityContext: { default: {} },
    preemptionPolicy: oneOf(["Never", "PreemptLowerPriority"]),
  },
  [`${CORE}.Container`]: CONTAINER,
  [`${CORE}.EphemeralContainer`]: CONTAINER,
  [`${CORE}.ContainerPort`]: {
    containerPort: { ...PORT, required: true },
    hostPort: { minimum: 0, maximum: 65535 },
    protocol: oneOf(["SCTP", "TCP", "UDP"], "TCP"),
  },
  [`${CORE}.EnvVar`]: { name: REQUIRED },
  [`${CORE}.ObjectFieldSelector`]: { apiVersion: { default: "v1" }, fieldPath: REQUIRED },
  [`${CORE}.ResourceFieldSelector`]: { resource: REQUIRED },
  [`${CORE}.ConfigMapKeySelector`]: { key: REQUIRED },
  [`${CORE}.SecretKeySelector`]: { key: REQUIRED },
  [`${CORE}.VolumeMount`]: {
    name: REQUIRED,
    mountPath: REQUIRED,
    mountPropagation: oneOf(["Bidirectional", "HostToContainer", "None"]),
  },
  [`${CORE}.Probe`]: PROBE,
  [`${CORE}.HTTPGetAction`]: {
    path: { default: "/" },
    port: REQUIRED,
    scheme: oneOf(["HTTP", "HTTPS"], "HTTP"),
  },
  [`${CORE}.TCPSocketAction`]: { port: REQUIRED },
  [`${CORE}.HTTPHeader`]: { name: REQUIRED },
  [`${CORE}.Volume`]: { name: REQUIRED },
  [`${CORE}.SecretVolumeSource`]: { defaultMode: FILE_MODE },
  [`${CORE}.ConfigMapVolumeSource`]: { defaultMode: FILE_MODE },
  [`${CORE}.DownwardAPIVolumeSource`]: { defaultMode: FILE_MODE },
  [`${CORE}.ProjectedVolumeSource`]: { defaultMode: FILE_MODE },
  [`${CORE}.KeyToPath`]: { key: REQUIRED, path: REQUIRED },
  [`${CORE}.DownwardAPIVolumeFile`]: { path: REQUIRED },
  [`${CORE}.ServiceAccountTokenProjection`]: {
    expirationSeconds: { minimum: 600, maximum: 4294967296, default: 3600 },
    path: REQUIRED,
  },
  [`${CORE}.HostPathVolumeSource`]: { path: REQUIRED, type: { default: "" } },
  [`${CORE}.Toleration`]: {
    operator: oneOf(["Equal", "Exists", "Gt", "Lt", ""]),
    effect: oneOf(["NoSchedule", "PreferNoSchedule", "NoExecute", ""]),
  },
  [`${CORE}.PodAffinityTerm`]: { topologyKey: REQUIRED },
  [`${CORE}.PodReadinessGate`]: { conditionType: REQUIRED },
};
