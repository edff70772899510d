/** Which certificates a class of proxies has a use for: what Gateways and DestinationRules name. */

import type {
  ClientTLSSettings,
  Server,
  ServerTLSSettings,
  TrafficPolicy,
} from "#crds/types/networking-v1.ts";
import { credentialResource, parseCredential, trustResource } from "./credential.ts";
import { matchesAll } from "./labels.ts";
import type { ObjectKey } from "./name.ts";
import type { DestinationRule, Gateway, Sidecar } from "./object.ts";
import { lookup } from "./object-index.ts";
import { type PushContext, objectOf } from "./push-context.ts";
import type { OutboundScope, ProxyScope, WorkloadScope } from "./scope.ts";
import { isRuleVisible } from "./visibility.ts";

/** One field of an object that names a certificate and its key, or authorities to trust. */
export interface CredentialUse {
  readonly object: ObjectKey;
  readonly path: string;
  readonly purpose: "certificate" | "trust";
  readonly source:
    | { readonly kind: "named"; readonly resource: string }
    | { readonly kind: "files"; readonly certificate: string; readonly privateKey: string }
    | { readonly kind: "file"; readonly file: string };
}

/** Modes of a server in which it shows a certificate of its own. */
const TERMINATING: ReadonlySet<string> = new Set(["SIMPLE", "MUTUAL", "OPTIONAL_MUTUAL"]);
const MUTUAL: ReadonlySet<string> = new Set(["MUTUAL", "OPTIONAL_MUTUAL"]);

/** Name under which secret discovery serves a pair of files, Istio's. */
export function certificateFiles(certificate: string, privateKey: string): string {
  return `file-cert:${certificate}~${privateKey}`;
}

export function trustFile(file: string): string {
  return `file-root:${file}`;
}

/** Where a server's settings of TLS are written. */
export interface ServerTlsPlace {
  readonly object: ObjectKey;
  readonly path: string;
  /** Their fields are written elsewhere, in an object of another kind. */
  readonly isMade?: boolean;
}

export function usesOfServer(gateway: Gateway, server: Server, at: number): CredentialUse[] {
  const path = gateway.sourcePaths?.[`spec.servers[${at}].tls`] ?? `spec.servers[${at}].tls`;
  const isMade = gateway.sourcePaths !== undefined;
  return usesOfServerTls(server.tls, { object: gateway.key, path, isMade });
}

/** Of what a Sidecar's proxies end themselves. */
function usesOfIngress(sidecar: Sidecar): CredentialUse[] {
  return (sidecar.spec.ingress ?? []).flatMap(({ tls }, at) =>
    usesOfServerTls(tls, { object: sidecar.key, path: `spec.ingress[${at}].tls` }),
  );
}

/** In the order of a server's fields: its certificates, then what it trusts. */
export function usesOfServerTls(
  tls: ServerTLSSettings | undefined,
  { object, path, isMade = false }: ServerTlsPlace,
): CredentialUse[] {
  const mode = tls?.mode ?? "SIMPLE";
  if (tls === undefined || !TERMINATING.has(mode)) return [];
  const use = (
    field: string,
    purpose: CredentialUse["purpose"],
    source: CredentialUse["source"],
  ): CredentialUse => ({
    object,
    path: isMade ? path : `${path}.${field}`,
    purpose,
    source,
  });
  const named = (tls.credentialNames ?? []).map((name, index) => ({
    name,
    field: `credentialNames[${index}]`,
  }));
  if (named.length === 0 && (tls.credentialName ?? "") !== "") {
    named.push({ name: tls.credentialName ?? "", field: "credentialName" });
  }
  const uses = named.map(({ name, field }) =>
    use(field, "certificate", { kind: "named", resource: credentialResource(name) }),
  );
  const authorities = tls.caCertCredentialName ?? "";
  const first = named[0];
  if (!MUTUAL.has(mode)) return first === undefined ? filesOf(tls, use) : uses;
  if (authorities !== "") {
    const resource = trustResource(authorities.replace(/-cacert$/, ""));
    uses.push(use("caCertCredentialName", "trust", { kind: "named", resource }));
  } else if (first !== undefined) {
    uses.push(use(first.field, "trust", { kind: "named", resource: trustResource(first.name) }));
  }
  if (first === undefined) uses.unshift(...filesOf(tls, use));
  const file = tls.caCertificates ?? "";
  if (first === undefined && authorities === "" && file !== "") {
    uses.push(use("caCertificates", "trust", { kind: "file", file }));
  }
  return uses;
}

function filesOf(
  tls: NonNullable<Server["tls"]>,
  use: (
    field: string,
    purpose: CredentialUse["purpose"],
    source: CredentialUse["source"],
  ) => CredentialUse,
): CredentialUse[] {
  const several = (tls.tlsCertificates ?? []).map((one, index) => ({
    ...one,
    field: `tlsCertificates[${index}]`,
  }));
  const all = several.length > 0 ? several : [{ ...tls, field: "serverCertificate" }];
  return all.flatMap(({ serverCertificate = "", privateKey = "", field }) =>
    serverCertificate === "" || privateKey === ""
      ? []
      : [
          use(field, "certificate", {
            kind: "files",
            certificate: serverCertificate,
            privateKey,
          }),
        ],
  );
}

/** Credentials that a rule's policies name, each once for every purpose. */
export function usesOfRule(rule: DestinationRule): CredentialUse[] {
  const policies: [string, TrafficPolicy | undefined][] = [
    ["spec.trafficPolicy", rule.spec.trafficPolicy],
    ...(rule.spec.subsets ?? []).map((subset, at): [string, TrafficPolicy | undefined] => [
      `spec.subsets[${at}].trafficPolicy`,
      subset.trafficPolicy,
    ]),
  ];
  return policies.flatMap(([path, policy]) => [
    ...usesOfClient(rule, `${path}.tls`, policy?.tls),
    ...(policy?.portLevelSettings ?? []).flatMap((port, at) =>
      usesOfClient(rule, `${path}.portLevelSettings[${at}].tls`, port.tls),
    ),
  ]);
}

function usesOfClient(
  rule: DestinationRule,
  at: string,
  tls: ClientTLSSettings | undefined,
): CredentialUse[] {
  const name = tls?.credentialName ?? "";
  if (tls === undefined || name === "") return [];
  const common = { object: rule.key, path: `${at}.credentialName` };
  const named = (resource: string): CredentialUse["source"] => ({ kind: "named", resource });
  return [
    ...(tls.mode === "MUTUAL"
      ? [{ ...common, purpose: "certificate" as const, source: named(credentialResource(name)) }]
      : []),
    ...(tls.mode === "MUTUAL" || tls.mode === "SIMPLE"
      ? [{ ...common, purpose: "trust" as const, source: named(trustResource(name)) }]
      : []),
  ];
}

/** Every use that proxies of a scope have for certificates, Gateways and rules in their order. */
export function credentialUses(context: PushContext, scope: ProxyScope): readonly CredentialUse[] {
  return scope.kind === "workload" ? servedUses(context, scope) : ruleUses(context, scope);
}

function servedUses(context: PushContext, scope: WorkloadScope): CredentialUse[] {
  const sidecar = scope.sidecar === undefined ? undefined : objectOf(context, scope.sidecar);
  if (sidecar?.kind === "Sidecar") return usesOfIngress(sidecar);
  return scope.gateways.flatMap((key) => {
    const gateway = objectOf(context, key);
    if (gateway?.kind !== "Gateway") return [];
    return (gateway.spec.servers ?? []).flatMap((server, at) => usesOfServer(gateway, server, at));
  });
}

/**
 * A rule counts for gateways that see it; for sidecars only if it is of their own namespace, for
 * whoever writes rules elsewhere has no say about the certificates here.
 */
function ruleUses(context: PushContext, scope: OutboundScope): CredentialUse[] {
  return lookup(context.indexes.destinationRulesWithCredentials, "").flatMap((rule) => {
    const own = rule.namespace === scope.namespace;
    const selector = rule.spec.workloadSelector?.matchLabels ?? {};
    if (!own && (scope.proxyType === "sidecar" || Object.keys(selector).length > 0)) return [];
    if (!isRuleVisible(rule, context.mesh, scope.namespace)) return [];
    return matchesAll(selector, scope.labels) ? usesOfRule(rule) : [];
  });
}

/** Whether the scope would be told of a change of this Secret or ConfigMap. */
export function usesCredential(context: PushContext, scope: ProxyScope, key: ObjectKey): boolean {
  return credentialUses(context, scope).some(({ source }) => {
    if (source.kind !== "named") return false;
    const reference = parseCredential(source.resource, scope.namespace);
    return reference?.keys.includes(key) === true;
  });
}
