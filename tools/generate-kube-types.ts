/**
 * Generates Lateen's own tables of the Kubernetes API from the struct tags of the Go modules
 * `k8s.io/api`, `k8s.io/apimachinery`, `k8s.io/apiextensions-apiserver` and others: the names,
 * types, protobuf numbers and merge keys of every field. Only those facts are taken, no text.
 *
 *   go mod download … ; node tools/generate-kube-types.ts "$(go env GOMODCACHE)"
 *
 * Writes `cluster/api/generated/<group>-<version>.ts` (TypeScript interfaces) and
 * `cluster/apiserver/schema/generated/messages.json` (what the server reads at run time).
 */
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { emitTypeScript } from "./emit-typescript.ts";
import { definition, key, parsePackage, type Field, type GoType } from "./go-structs.ts";
import { Resolver, SPECIAL } from "./resolver.ts";

const VERSIONED: [string, string, string, string][] = [
  ["k8s.io/api", "core/v1", "io.k8s.api.core.v1", "core-v1"],
  ["k8s.io/api", "apps/v1", "io.k8s.api.apps.v1", "apps-v1"],
  ["k8s.io/api", "batch/v1", "io.k8s.api.batch.v1", "batch-v1"],
  ["k8s.io/api", "autoscaling/v1", "io.k8s.api.autoscaling.v1", "autoscaling-v1"],
  ["k8s.io/api", "autoscaling/v2", "io.k8s.api.autoscaling.v2", "autoscaling-v2"],
  ["k8s.io/api", "policy/v1", "io.k8s.api.policy.v1", "policy-v1"],
  ["k8s.io/api", "networking/v1", "io.k8s.api.networking.v1", "networking-v1"],
  ["k8s.io/api", "discovery/v1", "io.k8s.api.discovery.v1", "discovery-v1"],
  ["k8s.io/api", "storage/v1", "io.k8s.api.storage.v1", "storage-v1"],
  ["k8s.io/api", "rbac/v1", "io.k8s.api.rbac.v1", "rbac-v1"],
  ["k8s.io/api", "scheduling/v1", "io.k8s.api.scheduling.v1", "scheduling-v1"],
  ["k8s.io/api", "coordination/v1", "io.k8s.api.coordination.v1", "coordination-v1"],
  ["k8s.io/api", "events/v1", "io.k8s.api.events.v1", "events-v1"],
  [
    "k8s.io/api",
    "admissionregistration/v1",
    "io.k8s.api.admissionregistration.v1",
    "admissionregistration-v1",
  ],
  ["k8s.io/api", "admission/v1", "io.k8s.api.admission.v1", "admission-v1"],
  ["k8s.io/api", "authentication/v1", "io.k8s.api.authentication.v1", "authentication-v1"],
  ["k8s.io/api", "authorization/v1", "io.k8s.api.authorization.v1", "authorization-v1"],
  ["k8s.io/api", "certificates/v1", "io.k8s.api.certificates.v1", "certificates-v1"],
  ["k8s.io/api", "node/v1", "io.k8s.api.node.v1", "node-v1"],
  ["k8s.io/apimachinery", "pkg/apis/meta/v1", "io.k8s.apimachinery.pkg.apis.meta.v1", "meta-v1"],
  [
    "k8s.io/apiextensions-apiserver",
    "pkg/apis/apiextensions/v1",
    "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1",
    "apiextensions-v1",
  ],
  [
    "k8s.io/kube-aggregator",
    "pkg/apis/apiregistration/v1",
    "io.k8s.kube-aggregator.pkg.apis.apiregistration.v1",
    "apiregistration-v1",
  ],
  [
    "k8s.io/metrics",
    "pkg/apis/metrics/v1beta1",
    "io.k8s.metrics.pkg.apis.metrics.v1beta1",
    "metrics-v1beta1",
  ],
];

function main(): void {
  const cache = process.argv[2];
  if (cache === undefined) throw new Error("usage: generate-kube-types.ts GOMODCACHE");
  const sources = VERSIONED.map(([module, sub, prefix, name]) => ({
    pkg: `${module}/${sub}`,
    dir: path.join(moduleDir(cache, module), sub),
    prefix,
    module: name,
  }));
  const types = new Map<string, GoType>();
  const imports = new Map<string, Map<string, string>>();
  for (const source of sources) parsePackage(source, types, imports);
  const resolver = new Resolver(types, imports);
  const messages: Record<string, { fields: Field[]; mapType?: string }> = {};
  for (const type of types.values()) {
    if (type.fields === undefined || SPECIAL[key(type)] !== undefined) continue;
    messages[definition(type)] = {
      fields: type.fields.map((f) => resolver.field(type, f)).filter((f) => f !== undefined),
      ...(type.mapType === undefined ? {} : { mapType: type.mapType }),
    };
  }
  emitTable(messages);
  emitTypeScript(sources, messages);
}

function moduleDir(cache: string, module: string): string {
  const parent = path.join(cache, path.dirname(module));
  const found = readdirSync(parent)
    .filter((name) => name.startsWith(`${path.basename(module)}@`))
    .toSorted();
  const newest = found.at(-1);
  if (newest === undefined) throw new Error(`${module} is not in ${cache}: go mod download it`);
  return path.join(parent, newest);
}

function emitTable(messages: Record<string, { fields: Field[]; mapType?: string }>): void {
  const dir = "cluster/apiserver/schema/generated";
  mkdirSync(dir, { recursive: true });
  const lines = Object.keys(messages)
    .toSorted()
    .map((name) => `${JSON.stringify(name)}: ${JSON.stringify(messages[name])}`);
  writeFileSync(path.join(dir, "messages.json"), `{\n${lines.join(",\n")}\n}\n`);
}

main();
