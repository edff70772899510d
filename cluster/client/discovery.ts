/** What an API server serves, custom resources included. */

import type { AnyObject } from "#cluster/api/meta.ts";
import type { Resource } from "#cluster/api/resources.ts";
import type { KubeClient } from "./client.ts";

/** A served resource and what can be done with it. */
export interface ServedResource extends Resource<AnyObject> {
  verbs: readonly string[];
}

export interface Discovered {
  /** One entry a (group, plural), in the group's preferred version where that serves it. */
  resources: ServedResource[];
  /** Group versions that could not be read, with the reason: their resources are unknown. */
  failures: { groupVersion: string; message: string }[];
}

/** Asks for every group; rejects only when the list of groups itself can't be read. */
export async function discoverResources(
  client: KubeClient,
  signal?: AbortSignal,
): Promise<Discovered> {
  const groups = await readJson(client, "/apis", signal);
  const versions = [{ group: "", version: "v1" }, ...listOf(groups.groups).flatMap(versionsOf)];
  const failures: Discovered["failures"] = [];
  const found = new Map<string, ServedResource>();
  const lists = await Promise.all(
    versions.map(async (at) => {
      const groupVersion = at.group === "" ? at.version : `${at.group}/${at.version}`;
      const path = at.group === "" ? "/api/v1" : `/apis/${groupVersion}`;
      try {
        return resourcesOf(await readJson(client, path, signal), at);
      } catch (error) {
        failures.push({ groupVersion, message: String(error) });
        return [];
      }
    }),
  );
  for (const resource of lists.flat()) {
    const key = `${resource.group}/${resource.plural}`;
    if (!found.has(key)) found.set(key, resource);
  }
  return { resources: [...found.values()], failures };
}

type Json = Record<string, unknown>;

async function readJson(client: KubeClient, path: string, signal?: AbortSignal): Promise<Json> {
  const { code, body } = await client.raw(path, signal);
  if (code !== 200) throw new Error(`GET ${path}: HTTP ${code}`);
  return JSON.parse(body) as Json;
}

/** The preferred version first. */
function versionsOf(group: Json): { group: string; version: string }[] {
  const preferred = (group.preferredVersion as Json | undefined)?.version;
  const versions = listOf(group.versions).map(({ version }) => String(version));
  return versions
    .toSorted((a, b) => Number(b === preferred) - Number(a === preferred))
    .map((version) => ({ group: String(group.name), version }));
}

/** Subresources (`pods/log`) are no resources of their own. */
function resourcesOf(list: Json, at: { group: string; version: string }): ServedResource[] {
  return listOf(list.resources)
    .filter(({ name }) => typeof name === "string" && !name.includes("/"))
    .map(({ name, kind, namespaced, verbs }) => ({
      ...at,
      plural: String(name),
      kind: String(kind),
      namespaced: namespaced === true,
      verbs: Array.isArray(verbs) ? verbs.map(String) : [],
    }));
}

function listOf(value: unknown): Json[] {
  return Array.isArray(value) ? (value as Json[]) : [];
}
