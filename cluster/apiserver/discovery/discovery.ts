/** `/api`, `/apis` and below: plain and aggregated (apidiscovery.k8s.io/v2), with ETags. */

import { createHash } from "node:crypto";
import type { KindTable } from "#cluster/apiserver/registry/kind-table.ts";
import { noSuchResource } from "#cluster/apiserver/registry/errors.ts";
import type { Answer } from "#cluster/apiserver/server/answer.ts";
import { parseAccept } from "#cluster/apiserver/server/negotiate.ts";
import { servedGroups, type ServedGroup, type ServedResource } from "./resources.ts";

const AGGREGATED_VERSIONS = ["v2", "v2beta1"];

interface Document {
  body: string;
  etag: string;
}

/** Answers from documents that are made once for each state of the table of kinds. */
export class Discovery {
  readonly #kinds: KindTable;
  #generation = -1;
  #groups: readonly ServedGroup[] = [];
  readonly #documents = new Map<string, Document>();

  constructor(kinds: KindTable) {
    this.#kinds = kinds;
  }

  /** Throws NotFound for paths that name no group or version. */
  answer(path: string, headers: { accept?: string; "if-none-match"?: string }): Answer {
    if (this.#generation !== this.#kinds.generation) {
      this.#generation = this.#kinds.generation;
      this.#groups = servedGroups(this.#kinds.all);
      this.#documents.clear();
    }
    const segments = path.split("/").filter(Boolean);
    const aggregated = segments.length === 1 ? aggregatedVersion(headers.accept) : undefined;
    const key = `${segments.join("/")} ${aggregated ?? ""}`;
    let document = this.#documents.get(key);
    if (document === undefined) {
      const content = this.#content(segments, aggregated);
      if (content === undefined) throw noSuchResource();
      document = documentOf(content);
      this.#documents.set(key, document);
    }
    const type =
      aggregated === undefined
        ? "application/json"
        : `application/json;g=apidiscovery.k8s.io;v=${aggregated};as=APIGroupDiscoveryList`;
    const { etag, body } = document;
    const known = (headers["if-none-match"] ?? "").split(",").map((tag) => tag.trim());
    const code = known.includes(etag) ? 304 : 200;
    const common = { "content-type": type, etag, vary: "Accept", "cache-control": "public" };
    return { kind: "bytes", code, headers: common, body: code === 304 ? "" : body };
  }

  #content(segments: readonly string[], aggregated: string | undefined): unknown {
    const [root, group = "", version] = segments;
    if (root === "api") {
      const core = this.#groups.filter((it) => it.group === "");
      if (aggregated !== undefined) return aggregate(core, aggregated);
      if (segments.length === 1) return legacyVersions();
      return segments.length === 2 ? this.#resources("", group) : undefined;
    }
    const named = this.#groups.filter((it) => it.group !== "");
    if (aggregated !== undefined) return aggregate(named, aggregated);
    if (segments.length === 1) {
      return { kind: "APIGroupList", apiVersion: "v1", groups: named.map(groupOf) };
    }
    const found = named.find((it) => it.group === group);
    if (found === undefined || segments.length > 3) return undefined;
    if (version !== undefined) return this.#resources(group, version);
    return { kind: "APIGroup", apiVersion: "v1", ...groupOf(found) };
  }

  #resources(group: string, version: string): unknown {
    const served = this.#groups
      .find((it) => it.group === group)
      ?.versions.find((it) => it.version === version);
    if (served === undefined) return undefined;
    return {
      kind: "APIResourceList",
      apiVersion: "v1",
      groupVersion: group === "" ? version : `${group}/${version}`,
      resources: served.resources.flatMap((resource) => plainResources(group, version, resource)),
    };
  }
}

function documentOf(content: unknown): Document {
  const body = JSON.stringify(content);
  const hash = createHash("sha512").update(body).digest("hex").toUpperCase();
  return { body, etag: `"${hash}"` };
}

function aggregatedVersion(accept: string | undefined): string | undefined {
  for (const { type, parameters } of parseAccept(accept)) {
    if (type !== "application/json") continue;
    if (parameters.get("as") !== "APIGroupDiscoveryList") return undefined;
    const version = parameters.get("v") ?? "";
    if (AGGREGATED_VERSIONS.includes(version)) return version;
  }
  return undefined;
}

function legacyVersions(): unknown {
  return {
    kind: "APIVersions",
    versions: ["v1"],
    serverAddressByClientCIDRs: [],
  };
}

function groupOf({ group, versions }: ServedGroup): object {
  const named = versions.map(({ version }) => ({ groupVersion: `${group}/${version}`, version }));
  return { name: group, versions: named, preferredVersion: named[0] };
}

function plainResources(group: string, version: string, resource: ServedResource): object[] {
  const { plural, singular, namespaced, kind, verbs, shortNames, categories } = resource;
  const main = {
    name: plural,
    singularName: singular,
    namespaced,
    kind,
    verbs,
    ...(shortNames.length === 0 ? {} : { shortNames }),
    ...(categories.length === 0 ? {} : { categories }),
  };
  const subresources = resource.subresources.map((sub) => ({
    name: `${plural}/${sub.name}`,
    singularName: "",
    namespaced,
    ...(sub.group === group && sub.version === version
      ? {}
      : { group: sub.group, version: sub.version }),
    kind: sub.kind,
    verbs: sub.verbs,
  }));
  return [main, ...subresources];
}

function aggregate(groups: readonly ServedGroup[], version: string): unknown {
  return {
    kind: "APIGroupDiscoveryList",
    apiVersion: `apidiscovery.k8s.io/${version}`,
    metadata: {},
    items: groups.map(({ group, versions }) => ({
      metadata: { name: group, creationTimestamp: null },
      versions: versions.map((served) => ({
        version: served.version,
        resources: served.resources.map((it) => aggregatedResource(group, served.version, it)),
        freshness: "Current",
      })),
    })),
  };
}

function aggregatedResource(group: string, version: string, resource: ServedResource): object {
  return {
    resource: resource.plural,
    responseKind: { group, version, kind: resource.kind },
    scope: resource.namespaced ? "Namespaced" : "Cluster",
    singularResource: resource.singular,
    verbs: resource.verbs,
    ...(resource.shortNames.length === 0 ? {} : { shortNames: resource.shortNames }),
    ...(resource.categories.length === 0 ? {} : { categories: resource.categories }),
    ...(resource.subresources.length === 0
      ? {}
      : {
          subresources: resource.subresources.map((sub) => ({
            subresource: sub.name,
            responseKind: { group: sub.group, version: sub.version, kind: sub.kind },
            verbs: sub.verbs,
          })),
        }),
  };
}
