/** Hosts that ServiceEntries of the mesh add, while their kind is defined. */

import type { CustomResourceDefinition } from "#cluster/api/generated/apiextensions-v1.ts";
import type { KubeObject } from "#cluster/api/meta.ts";
import { CUSTOM_RESOURCE_DEFINITIONS } from "#cluster/api/resources.ts";
import type { KubeClient } from "#cluster/client/client.ts";
import { ListWatchInformer, createInformer } from "#cluster/client/create-informer.ts";
import { type EntrySource, hostsOfEntry } from "./entry.ts";

const NAME = "serviceentries.networking.istio.io";
const VERSIONS = ["v1", "v1beta1", "v1alpha3"];
const BY_HOST = "host";

/** Follows the kind as soon as an API server has it; `onChange` is called after each change. */
export function createEntrySource(
  client: KubeClient,
  onChange: () => void,
): { source: EntrySource; synced: Promise<void>; run: (signal: AbortSignal) => Promise<void> } {
  let current:
    { version: string; informer: ListWatchInformer<KubeObject>; stop: () => void } | undefined;
  const entriesSynced: Promise<unknown>[] = [];
  const definitions = createInformer<CustomResourceDefinition>(
    client,
    CUSTOM_RESOURCE_DEFINITIONS,
    { fieldSelector: `metadata.name=${NAME}` },
  );
  const follow = (version: string | undefined, signal: AbortSignal): void => {
    if (current?.version === version) return;
    current?.stop();
    current = undefined;
    onChange();
    if (version === undefined) return;
    const stop = new AbortController();
    const informer = entryInformer(client, version);
    informer.onChange(onChange);
    current = { version, informer, stop: () => stop.abort() };
    const run = informer.run(AbortSignal.any([signal, stop.signal]));
    entriesSynced.push(Promise.race([informer.synced, run]));
  };
  return {
    source: {
      declared: (host) =>
        (current?.informer.lister.byIndex(BY_HOST, host) ?? [])
          .flatMap((entry) => hostsOfEntry(entry).filter((one) => one.host === host))
          .toSorted((left, right) => (left.age < right.age ? -1 : Number(left.age > right.age))),
    },
    synced: definitions.synced.then(() => Promise.all(entriesSynced)).then(() => undefined),
    run: async (signal) => {
      definitions.onChange(({ kind, object }) => {
        if (object.metadata.name !== NAME) return;
        follow(kind === "deleted" ? undefined : servedVersion(object), signal);
      });
      await definitions.run(signal);
    },
  };
}

function entryInformer(client: KubeClient, version: string): ListWatchInformer<KubeObject> {
  const resource = {
    group: "networking.istio.io",
    version,
    plural: "serviceentries",
    kind: "ServiceEntry",
    namespaced: true,
  };
  return new ListWatchInformer<KubeObject>(client, resource, {
    indexes: { [BY_HOST]: (entry) => [...new Set(hostsOfEntry(entry).map(({ host }) => host))] },
  });
}

function servedVersion({ spec, status }: CustomResourceDefinition): string | undefined {
  const established = status?.conditions?.find(({ type }) => type === "Established");
  if (established !== undefined && established.status !== "True") return undefined;
  const served = (spec?.versions ?? []).filter((one) => one.served).map((one) => one.name);
  return VERSIONS.find((version) => served.includes(version));
}
