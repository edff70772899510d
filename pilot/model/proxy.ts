/**
 * What a proxy says about itself when it connects (Envoy's `Node`, with Istio's id and metadata).
 * It is untrusted input: every field is checked and bounded before it becomes part of a scope.
 */

import { isIP } from "node:net";
import { type EdgeSettings, edgeOfMetadata } from "./edge.ts";
import { type Labels, type Locality, NO_LOCALITY } from "./object.ts";

export type ProxyType = "sidecar" | "router";

export interface Proxy {
  /** The whole node id, for logs and debug pages. */
  readonly id: string;
  readonly type: ProxyType;
  /** `pod.namespace`. */
  readonly name: string;
  readonly namespace: string;
  readonly clusterDomain: string;
  /** Valid IPs, the node id's first. */
  readonly addresses: readonly string[];
  readonly labels: Labels;
  readonly serviceAccount: string;
  readonly locality: Locality;
  readonly network: string;
  /** The machine that it runs on (metadata NODE_NAME), or empty. */
  readonly node: string;
  /** Kubernetes cluster (metadata CLUSTER_ID). */
  readonly cluster: string;
  /** `1.40.0`, or empty where the proxy doesn't say. */
  readonly version: string;
  /** Of Istio (metadata ISTIO_VERSION), or empty. */
  readonly istioVersion: string;
  /** `app.namespace` as it names itself to collectors (Envoy's node cluster), or empty. */
  readonly serviceCluster: string;
  /**
   * It can ask for a certificate of the mesh where it runs (SDS). Istio's agents offer that always;
   * a sidecar without an agent says where there is nobody to ask (metadata LATEEN_CERTIFICATE).
   */
  readonly hasCertificate: boolean;
  /** It is to be sent only what it asks for (metadata DISCOVERY), as far as its stream can ask. */
  readonly isOnDemand?: true;
  /** Metadata that is plain text, for selections by it. */
  readonly metadata: Readonly<Record<string, string>>;
  /** Counts for gateways only. */
  readonly edge: EdgeSettings;
}

export interface NodeProblem {
  readonly path: string;
  readonly message: string;
}

export type ProxyResult =
  | { readonly ok: true; readonly proxy: Proxy }
  | { readonly ok: false; readonly problems: readonly NodeProblem[] };

/** A Node as it was decoded; metadata is a plain object (google.protobuf.Struct as JSON). */
export interface NodeInput {
  readonly id: unknown;
  readonly cluster?: unknown;
  readonly metadata?: unknown;
  readonly locality?: unknown;
  readonly userAgentVersion?: unknown;
}

/** Node metadata of a proxy that speaks plain text to its peers. */
const CERTIFICATE = "LATEEN_CERTIFICATE";
const NO_CERTIFICATE = "NONE";
/** Node metadata of a proxy that asks for clusters when it first calls them. */
const DISCOVERY = "DISCOVERY";
const ON_DEMAND = "on-demand";
const MAX_ID = 1024;
const MAX_LABELS = 128;
const MAX_ADDRESSES = 16;
const MAX_METADATA = 128;
const MAX_METADATA_TEXT = 1024;
const NAMESPACE = /^[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?$/;
const DOMAIN = /^[a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?$/;
const LABEL_NAME = /^(?:[a-zA-Z0-9.-]{1,253}\/)?[a-zA-Z0-9](?:[-_.a-zA-Z0-9]{0,61}[a-zA-Z0-9])?$/;
const LABEL_VALUE = /^[-_.a-zA-Z0-9]{0,63}$/;
const NAME = /^[-_.a-zA-Z0-9]{1,512}$/;

/** Parses `type~ip~pod.namespace~namespace.svc.domain` and the metadata that translation reads. */
export function parseProxy(node: NodeInput): ProxyResult {
  const problems: NodeProblem[] = [];
  const refuse = (path: string, message: string): void => {
    problems.push({ path, message });
  };
  const id = typeof node.id === "string" ? node.id : "";
  const parts = id.length > MAX_ID ? [] : id.split("~");
  const [type = "", address = "", name = "", domain = ""] = parts;
  if (parts.length !== 4) {
    refuse("id", "must be type~ip~name.namespace~namespace.svc.domain");
  }
  const metadata = asRecord(node.metadata);
  const labels = parseLabels(metadata.get("LABELS"), refuse);
  const namespace = parseNamespace(metadata.get("NAMESPACE"), name, refuse);
  const addresses = parseAddresses(address, metadata.get("INSTANCE_IPS"));
  if (parts.length === 4) {
    if (type !== "sidecar" && type !== "router") refuse("id", `unknown proxy type ${quote(type)}`);
    if (isIP(address) === 0) refuse("id", `${quote(address)} is not an IP address`);
    if (!NAME.test(name)) refuse("id", `${quote(name)} is not a workload name`);
    if (!DOMAIN.test(domain)) refuse("id", `${quote(domain)} is not a DNS domain`);
  }
  if (problems.length > 0) return { ok: false, problems };
  return {
    ok: true,
    proxy: {
      id,
      type: type === "router" ? "router" : "sidecar",
      name,
      namespace,
      clusterDomain: domain.replace(/^.*\.svc\./, "").replace(/^svc\./, ""),
      addresses,
      labels,
      serviceAccount: asName(metadata.get("SERVICE_ACCOUNT")),
      locality: parseLocality(node.locality, labels),
      network: asName(metadata.get("NETWORK")),
      node: asName(metadata.get("NODE_NAME")),
      cluster: asName(metadata.get("CLUSTER_ID")),
      version: asName(node.userAgentVersion),
      istioVersion: asName(metadata.get("ISTIO_VERSION")),
      serviceCluster: asName(node.cluster),
      hasCertificate: metadata.get(CERTIFICATE) !== NO_CERTIFICATE,
      ...(metadata.get(DISCOVERY) === ON_DEMAND ? { isOnDemand: true as const } : {}),
      metadata: plainMetadata(metadata),
      edge: edgeOfMetadata(metadata),
    },
  };
}

type Refuse = (path: string, message: string) => void;

function parseNamespace(metadata: unknown, name: string, refuse: Refuse): string {
  const fromName = name.includes(".") ? name.slice(name.lastIndexOf(".") + 1) : "";
  const namespace = typeof metadata === "string" && metadata !== "" ? metadata : fromName;
  if (!NAMESPACE.test(namespace)) {
    refuse("metadata.NAMESPACE", `${quote(namespace)} is not a namespace`);
  }
  return namespace;
}

function parseLabels(value: unknown, refuse: Refuse): Labels {
  const entries = [...asRecord(value)];
  if (entries.length > MAX_LABELS) {
    refuse("metadata.LABELS", `more than ${MAX_LABELS} labels`);
    return {};
  }
  const labels: [string, string][] = [];
  for (const [name, label] of entries) {
    if (typeof label !== "string" || !LABEL_NAME.test(name) || !LABEL_VALUE.test(label)) {
      refuse("metadata.LABELS", `${quote(name)} is not a label`);
    } else labels.push([name, label]);
  }
  labels.sort(([left], [right]) => (left < right ? -1 : 1));
  return Object.fromEntries(labels);
}

function parseAddresses(first: string, instanceIps: unknown): string[] {
  const more = typeof instanceIps === "string" ? instanceIps.split(",", MAX_ADDRESSES) : [];
  return [...new Set([first, ...more].filter((text) => isIP(text) !== 0))];
}

/** The node's own locality, else the pod label `istio-locality` (`region.zone.subzone`). */
function parseLocality(value: unknown, labels: Labels): Locality {
  const fields = asRecord(value);
  const own = {
    region: asName(fields.get("region")),
    zone: asName(fields.get("zone")),
    subZone: asName(fields.get("subZone") ?? fields.get("sub_zone")),
  };
  if (own.region !== "" || own.zone !== "") return own;
  const label = Object.hasOwn(labels, "istio-locality") ? labels["istio-locality"] : undefined;
  if (label === undefined || label === "") return NO_LOCALITY;
  const [region = "", zone = "", subZone = ""] = label.split(".");
  return { region, zone, subZone };
}

function asRecord(value: unknown): ReadonlyMap<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return new Map();
  return new Map(Object.entries(value));
}

/** At most so many, and none that is long: nobody selects proxies by a document. */
function plainMetadata(metadata: ReadonlyMap<string, unknown>): Record<string, string> {
  const plain = [...metadata].flatMap(([name, value]): [string, string][] =>
    typeof value === "string" && value.length <= MAX_METADATA_TEXT ? [[name, value]] : [],
  );
  return Object.fromEntries(plain.slice(0, MAX_METADATA));
}

function asName(value: unknown): string {
  return typeof value === "string" && NAME.test(value) ? value : "";
}

/** Hostile text is cut and escaped before it reaches a log line. */
function quote(text: string): string {
  return JSON.stringify(text.slice(0, 64));
}
