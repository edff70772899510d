/** Short words about the commonest types and fields, for `kubectl explain`. */

/** What the fields of every kind are for. */
const FIELDS: Readonly<Record<string, string>> = {
  apiVersion: "Group and version of this kind, as `group/version`.",
  kind: "Name of the kind of this object.",
  metadata: "Name, labels, annotations and what the server keeps about the object.",
  spec: "What is wanted.",
  status: "What is observed; written by controllers.",
  items: "The objects of the list.",
};

/** `Type.field` → words, where the type is the last part of the definition's name. */
const OF_TYPES: Readonly<Record<string, string>> = {
  "ObjectMeta.name": "Unique among objects of the kind in its namespace; cannot be changed.",
  "ObjectMeta.namespace": "The namespace that the object lives in; cannot be changed.",
  "ObjectMeta.labels": "Keys and values by which selectors find the object.",
  "ObjectMeta.annotations": "Keys and values for tools; selectors don't see them.",
  "ObjectMeta.ownerReferences": "Objects that this one goes with when all of them are deleted.",
  "ObjectMeta.finalizers": "What has to be done before the object is removed.",
  "ObjectMeta.generation": "Counts the changes of what is wanted.",
  "ObjectMeta.uid": "Unique over all time; set by the server.",
  "ObjectMeta.resourceVersion": "Changes with every write; a write of an older version is refused.",
  "ObjectMeta.creationTimestamp": "When the server created the object.",
  "ObjectMeta.deletionTimestamp": "When the object is to be gone; set once deletion is asked for.",
  "PodSpec.containers": "The containers that run together; at least one.",
  "PodSpec.initContainers":
    "Containers that run to their end, one after another, before the others start; with restartPolicy Always they keep running as sidecars.",
  "PodSpec.volumes": "File trees that containers can mount.",
  "PodSpec.restartPolicy": "When ended containers are started again.",
  "PodSpec.nodeName": "The node that the pod is bound to; set by the scheduler.",
  "PodSpec.nodeSelector": "Labels that a node must have to run the pod.",
  "PodSpec.serviceAccountName": "The ServiceAccount as which the pod speaks to the API server.",
  "PodSpec.terminationGracePeriodSeconds": "Seconds from the request to end until the kill.",
  "PodSpec.tolerations": "Taints of nodes that the pod may live with.",
  "PodSpec.affinity": "Rules about nodes and other pods that the scheduler follows.",
  "PodSpec.hostNetwork": "Whether the pod shares the network of its node.",
  "Container.name": "Unique in the pod, a DNS label.",
  "Container.image": "Reference of the image to run.",
  "Container.imagePullPolicy": "When the image is pulled: Always, IfNotPresent or Never.",
  "Container.command": "Replaces the image's entry point.",
  "Container.args": "Arguments of the command; they replace the image's.",
  "Container.env": "Environment variables.",
  "Container.envFrom": "ConfigMaps and Secrets whose keys become environment variables.",
  "Container.ports": "Ports that the container listens on; names can be used by Services.",
  "Container.resources": "What the container needs and may use at most.",
  "Container.volumeMounts": "Where volumes of the pod appear in the container.",
  "Container.livenessProbe": "The container is restarted when this fails.",
  "Container.readinessProbe": "The pod gets no traffic of Services while this fails.",
  "Container.startupProbe": "The other probes wait until this has succeeded.",
  "Container.lifecycle": "What to run after the start and before the stop.",
  "Container.securityContext": "User, privileges and file system of the container.",
  "Container.workingDir": "Directory in which the command starts.",
  "Container.restartPolicy": "Always makes an init container a sidecar.",
  "ResourceRequirements.limits": "The most that may be used, by resource.",
  "ResourceRequirements.requests": "What is set aside on the node, by resource.",
  "DeploymentSpec.replicas": "How many pods are wanted.",
  "DeploymentSpec.selector": "Which pods belong to it; must match the template's labels.",
  "DeploymentSpec.template": "What its pods look like.",
  "DeploymentSpec.strategy": "How old pods are replaced by new ones.",
  "DeploymentSpec.revisionHistoryLimit": "How many old ReplicaSets are kept for a rollback.",
  "DeploymentSpec.paused": "While true, changes of the template are not rolled out.",
  "ReplicaSetSpec.replicas": "How many pods are wanted.",
  "ServiceSpec.selector": "Labels of the pods that get the traffic.",
  "ServiceSpec.ports": "Ports of the Service and where they lead.",
  "ServiceSpec.type":
    "How the Service can be reached: ClusterIP, NodePort, LoadBalancer, ExternalName.",
  "ServiceSpec.clusterIP": "The virtual address; None for a headless Service.",
  "ServicePort.port": "The port of the Service's address.",
  "ServicePort.targetPort": "Number or name of the pods' port; the same as port when absent.",
  "ServicePort.nodePort": "The port on every node, for NodePort and LoadBalancer.",
  "ConfigMap.data": "Texts by key.",
  "ConfigMap.binaryData": "Bytes by key, in base64.",
  "Secret.data": "Bytes by key, in base64.",
  "Secret.stringData": "Texts by key, merged into data on write and never read back.",
  "Secret.type": "What the keys mean to programs.",
  "IngressSpec.rules": "Hosts and paths, and the Services that they lead to.",
  "IngressSpec.tls": "Certificates for hosts.",
  "IngressSpec.ingressClassName": "The IngressClass whose controller serves it.",
};

/** Words about a field of a built-in type, or undefined; a kind is what has metadata. */
export function describeField(
  definition: string,
  field: string,
  isKind: boolean,
): string | undefined {
  const type = definition.split(".").at(-1) ?? definition;
  const key = `${type}.${field}`;
  if (Object.hasOwn(OF_TYPES, key)) return OF_TYPES[key];
  return isKind && Object.hasOwn(FIELDS, field) ? FIELDS[field] : undefined;
}

const TYPES: Readonly<Record<string, string>> = {
  Pod: "Containers that run together on one node and share its network address.",
  Deployment: "Keeps a number of like pods running and replaces them step by step.",
  ReplicaSet: "Keeps a number of like pods running; made by Deployments.",
  Service: "One address and name for the pods that a selector finds.",
  ConfigMap: "Configuration as keys and texts.",
  Secret: "Confidential data as keys and bytes.",
  Namespace: "A scope for names.",
  Node: "A machine that runs pods.",
  Ingress: "Routes HTTP from outside to Services, by host and path.",
  Quantity: "An amount with a suffix, such as 100m, 2, 128Mi or 1G.",
  IntOrString: "A number or a string, such as a port's number or name, or a percentage.",
  Time: "A time in RFC 3339.",
  ObjectMeta: "What every object carries beside its own content.",
  CustomResourceDefinition: "Makes the server serve a further kind.",
};

/** Words about a type, by the last part of its definition's name, or undefined. */
export function describeType(name: string): string | undefined {
  return Object.hasOwn(TYPES, name) ? TYPES[name] : undefined;
}
