/**
 * Who may do what: system:masters everything, nodes what a kubelet and its proxy need,
 * everybody who is known the discovery of the API and questions about themselves.
 */

import { statusError, type StatusError } from "#cluster/api/status-error.ts";
import type { RequestInfo, ResourceInfo } from "#cluster/apiserver/server/request.ts";
import { AUTHENTICATED, MASTERS, NODES, type User } from "./user.ts";

/** First parts of paths that are for everybody, known or not. */
const PUBLIC_ROOTS: readonly string[] = ["livez", "readyz", "healthz", "version"];
/** For everybody who is known (Kubernetes' ClusterRole system:discovery). */
const DISCOVERY_ROOTS: readonly string[] = ["api", "apis", "openapi", "openid", ".well-known"];

/** Reviews that anyone may make about themselves (system:basic-user). */
const SELF_REVIEWS = new Set([
  "authorization.k8s.io/selfsubjectaccessreviews",
  "authorization.k8s.io/selfsubjectrulesreviews",
  "authentication.k8s.io/selfsubjectreviews",
]);

const READ = new Set(["get", "list", "watch"]);
const NODE_READS = new Set([
  "/services",
  "/endpoints",
  "discovery.k8s.io/endpointslices",
  "/configmaps",
  "/secrets",
  "/serviceaccounts",
  "/nodes",
  "/pods",
  "/namespaces",
]);
/** `group/resource/subresource` → verbs beyond reading. */
const NODE_WRITES: ReadonlyMap<string, ReadonlySet<string>> = new Map([
  ["/nodes/", new Set(["create", "update", "patch"])],
  ["/nodes/status", new Set(["update", "patch"])],
  ["/pods/", new Set(["create", "delete"])],
  ["/pods/status", new Set(["update", "patch"])],
  ["/pods/eviction", new Set(["create"])],
  ["/events/", new Set(["create", "update", "patch"])],
  ["/serviceaccounts/token", new Set(["create"])],
  ["coordination.k8s.io/leases/", new Set(["get", "create", "update", "patch", "delete"])],
  ["authentication.k8s.io/tokenreviews/", new Set(["create"])],
  ["authorization.k8s.io/subjectaccessreviews/", new Set(["create"])],
]);

/** Why a request is allowed, or undefined when it isn't. */
export function authorize(user: User, info: RequestInfo): string | undefined {
  if (user.groups.includes(MASTERS)) return `${MASTERS} may do everything`;
  if (info.kind === "path") {
    const [, root = ""] = info.path.split("/");
    if (PUBLIC_ROOTS.includes(root)) return "open to everybody";
    const known = user.groups.includes(AUTHENTICATED);
    return known && DISCOVERY_ROOTS.includes(root) ? "discovery" : undefined;
  }
  if (!user.groups.includes(AUTHENTICATED)) return undefined;
  const resource = `${info.group}/${info.plural}`;
  if (info.verb === "create" && SELF_REVIEWS.has(resource)) return "a question about oneself";
  return user.groups.includes(NODES) && nodeMay(info) ? "what a node needs" : undefined;
}

function nodeMay(info: ResourceInfo): boolean {
  const resource = `${info.group}/${info.plural}`;
  if (READ.has(info.verb) && info.subresource === "" && NODE_READS.has(resource)) return true;
  return NODE_WRITES.get(`${resource}/${info.subresource}`)?.has(info.verb) ?? false;
}

/** authorization/v1 ResourceRule; names are not distinguished here. */
interface ResourceRule {
  verbs: string[];
  apiGroups: string[];
  resources: string[];
}

export interface Rules {
  resourceRules: ResourceRule[];
  nonResourceRules: { verbs: string[]; nonResourceURLs: string[] }[];
}

/** Everything that `authorize` grants a user, as `kubectl auth can-i --list` shows it. */
export function rulesOf(user: User): Rules {
  if (user.groups.includes(MASTERS)) {
    return {
      resourceRules: [{ verbs: ["*"], apiGroups: ["*"], resources: ["*"] }],
      nonResourceRules: [{ verbs: ["*"], nonResourceURLs: ["*"] }],
    };
  }
  const known = user.groups.includes(AUTHENTICATED);
  const isNode = known && user.groups.includes(NODES);
  const paths = known ? [...PUBLIC_ROOTS, ...DISCOVERY_ROOTS] : PUBLIC_ROOTS;
  return {
    resourceRules: [
      ...(known ? [...SELF_REVIEWS].map((resource) => ruleOf(resource, ["create"])) : []),
      ...(isNode ? [...NODE_READS].map((resource) => ruleOf(resource, READ)) : []),
      ...(isNode ? [...NODE_WRITES].map(([resource, verbs]) => ruleOf(resource, verbs)) : []),
    ],
    nonResourceRules: paths.map((root) => ({
      verbs: ["*"],
      nonResourceURLs: [`/${root}`, `/${root}/*`],
    })),
  };
}

/** Of `group/resource` or `group/resource/subresource`. */
function ruleOf(name: string, verbs: Iterable<string>): ResourceRule {
  const [group = "", ...resource] = name.split("/").filter((part, at) => at === 0 || part !== "");
  return { verbs: [...verbs], apiGroups: [group], resources: [resource.join("/")] };
}

/** The refusal in Kubernetes' words. */
export function refusal(user: User, info: RequestInfo): StatusError {
  const who = `User ${JSON.stringify(user.name)}`;
  if (info.kind === "path") {
    return statusError("Forbidden", `forbidden: ${who} cannot ${info.verb} path "${info.path}"`);
  }
  const { group, plural, name, namespace, subresource, verb } = info;
  const resource = subresource === "" ? plural : `${plural}/${subresource}`;
  const scope = namespace === "" ? "at the cluster scope" : `in the namespace "${namespace}"`;
  const grouped = group === "" ? plural : `${plural}.${group}`;
  const object = name === "" ? grouped : `${grouped} ${JSON.stringify(name)}`;
  const what = `cannot ${verb} resource "${resource}" in API group "${group}" ${scope}`;
  const details = { ...(name === "" ? {} : { name }), group, kind: plural };
  return statusError("Forbidden", `${object} is forbidden: ${who} ${what}`, details);
}
