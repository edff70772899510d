/** Applying YAML manifests of any kind through a client, as far as the demo needs it. */

import { readFile } from "node:fs/promises";
import { loadAll } from "js-yaml";
import type { KubeObject } from "#cluster/api/meta.ts";
import type { Resource } from "#cluster/api/resources.ts";
import { applyObject } from "#cluster/client/apply-object.ts";
import type { KubeClient } from "#cluster/client/client.ts";

const LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration";

interface ApiResourceList {
  resources: { name: string; kind: string; namespaced: boolean }[];
}

/** Creates or merges every object of the files, in order; objects without a namespace go to `default`. */
export async function applyManifests(client: KubeClient, files: readonly string[]): Promise<void> {
  const resources = new Map<string, Resource>();
  for (const file of files) {
    for (const document of loadAll(await readFile(file, "utf8"))) {
      if (document === null || document === undefined) continue;
      const object = document as KubeObject;
      const resource = await resourceOf(client, object, resources);
      const namespace = resource.namespaced ? (object.metadata.namespace ?? "default") : undefined;
      await applyObject(client, resource, asKubectlApplies(object, namespace));
    }
  }
}

/** With the annotation by which `kubectl apply` later knows what a user has removed. */
function asKubectlApplies(object: KubeObject, namespace: string | undefined): KubeObject {
  const { annotations, ...metadata } = object.metadata;
  const applied = {
    ...object,
    metadata: {
      annotations: { ...annotations },
      ...metadata,
      ...(namespace === undefined ? {} : { namespace }),
    },
  };
  const lastApplied = `${JSON.stringify(applied)}\n`;
  return {
    ...applied,
    metadata: {
      ...applied.metadata,
      annotations: { ...annotations, [LAST_APPLIED]: lastApplied },
    },
  };
}

async function resourceOf(
  client: KubeClient,
  object: KubeObject,
  known: Map<string, Resource>,
): Promise<Resource> {
  const { apiVersion = "v1", kind = "" } = object;
  const key = `${apiVersion}/${kind}`;
  const cached = known.get(key);
  if (cached !== undefined) return cached;
  const [group = "", version = ""] = apiVersion.includes("/")
    ? apiVersion.split("/")
    : ["", apiVersion];
  const path = group === "" ? `/api/${version}` : `/apis/${group}/${version}`;
  const { code, body } = await client.raw(path);
  if (code !== 200) throw new Error(`${path} answered ${code}`);
  const list = JSON.parse(body) as ApiResourceList;
  const found = list.resources.find((entry) => entry.kind === kind && !entry.name.includes("/"));
  if (found === undefined) throw new Error(`the API server has no kind ${kind} in ${apiVersion}`);
  const resource = { group, version, plural: found.name, kind, namespaced: found.namespaced };
  known.set(key, resource);
  return resource;
}
