/** CustomResourceDefinitions: accepted and established when they are written, served at once. */

import type {
  CustomResourceDefinition,
  CustomResourceDefinitionCondition,
} from "#cluster/api/generated/apiextensions-v1.ts";
import { CUSTOM_RESOURCE_DEFINITIONS as CRDS } from "#cluster/api/resources.ts";
import { statusError } from "#cluster/api/status-error.ts";
import { customKinds } from "#cluster/apiserver/kinds/custom.ts";
import {
  timestamp,
  type AdmissionPlugin,
  type RegistryContext,
} from "#cluster/apiserver/registry/context.ts";
import { collectionPrefix } from "#cluster/apiserver/registry/keys.ts";
import type { KindTable } from "#cluster/apiserver/registry/kind-table.ts";
import { findObject } from "#cluster/apiserver/registry/read.ts";
import type { Store, StoredValue } from "#cluster/storage/store.ts";

/** Holds a definition until the objects of its kind are gone. */
export const CLEANUP_FINALIZER = "customresourcecleanup.apiextensions.k8s.io";

/** Keeps the rows of the table in step with the definitions in the store. */
export function followDefinitions(store: Store, kinds: KindTable): void {
  const prefix = collectionPrefix(CRDS);
  const { revision } = store;
  const listed = store.list(prefix);
  if (listed.ok) for (const stored of listed.values) register(kinds, stored);
  store.watch(prefix, revision, ({ key, current }) => {
    if (current === undefined) kinds.removeCustom(key.slice(prefix.length));
    else register(kinds, current);
  });
}

function register(kinds: KindTable, stored: StoredValue): void {
  const crd = JSON.parse(stored.value) as CustomResourceDefinition;
  if (conditionOf(crd, "Established")?.status === "True") {
    kinds.setCustom(crd.metadata.name, customKinds(crd));
  } else {
    kinds.removeCustom(crd.metadata.name);
  }
}

/**
 * Decides about names and writes status in the same write as the definition: a client may create
 * objects of the kind as soon as its definition is answered.
 */
export const CUSTOM_RESOURCE_DEFINITION: AdmissionPlugin = {
  name: "CustomResourceDefinition",
  admit(request, context) {
    const { kind, operation, subresource, object } = request;
    if (kind.custom && operation === "CREATE") refuseWhileTerminating(context, kind);
    if (kind.group !== CRDS.group || kind.plural !== CRDS.plural) return;
    if (operation === "DELETE" || subresource !== "") return;
    const crd = object as unknown as CustomResourceDefinition;
    if (operation === "CREATE") {
      const finalizers = crd.metadata.finalizers ?? [];
      crd.metadata.finalizers = [...new Set([...finalizers, CLEANUP_FINALIZER])];
    }
    if (crd.spec?.conversion?.strategy === "Webhook") {
      throw statusError(
        "Invalid",
        'spec.conversion.strategy: Unsupported value: "Webhook": this server converts by None only',
      );
    }
    if (crd.spec?.names !== undefined && Array.isArray(crd.spec.versions)) {
      setStatus(crd, context);
    }
  },
};

function refuseWhileTerminating(
  context: RegistryContext,
  kind: { group: string; plural: string },
): void {
  const crd = findObject(context, CRDS, { name: `${kind.plural}.${kind.group}` });
  if (crd?.metadata.deletionTimestamp === undefined) return;
  throw statusError(
    "MethodNotAllowed",
    "create not allowed while custom resource definition is terminating",
  );
}

function setStatus(crd: CustomResourceDefinition, context: RegistryContext): void {
  const { names } = crd.spec;
  const taken = conflictOf(crd, context.kinds);
  const now = timestamp(context.now());
  const set = (condition: CustomResourceDefinitionCondition): CustomResourceDefinitionCondition => {
    const before = conditionOf(crd, condition.type);
    const same = before?.status === condition.status;
    return { ...condition, lastTransitionTime: (same && before.lastTransitionTime) || now };
  };
  const accepted = taken === undefined;
  const status = accepted ? "True" : "False";
  const others = (crd.status?.conditions ?? []).filter(
    ({ type }) => type !== "NamesAccepted" && type !== "Established",
  );
  crd.status = {
    conditions: [
      set({
        type: "NamesAccepted",
        status,
        reason: accepted ? "NoConflicts" : "NamesConflict",
        message: taken ?? "no conflicts found",
      }),
      set({
        type: "Established",
        status,
        reason: accepted ? "InitialNamesAccepted" : "NotAccepted",
        message: accepted ? "the initial names have been accepted" : "not all names are accepted",
      }),
      ...others,
    ],
    acceptedNames: accepted ? names : { plural: "", kind: "" },
    storedVersions: crd.status?.storedVersions ?? [],
  };
}

/** Why the names can't be had: a kind of the same group has one of them. */
function conflictOf(crd: CustomResourceDefinition, kinds: KindTable): string | undefined {
  const { group, names } = crd.spec;
  const own = new Set(kinds.ofDefinition(crd.metadata.name));
  const singular = names.singular ?? names.kind.toLowerCase();
  const wanted = new Set([names.plural, singular, ...(names.shortNames ?? [])]);
  for (const kind of kinds.all) {
    if (kind.group !== group || own.has(kind)) continue;
    if (kind.kind === names.kind) return `${JSON.stringify(kind.kind)} is already in use`;
    const used = [kind.plural, kind.singular, ...kind.shortNames].find((it) => wanted.has(it));
    if (used !== undefined) return `${JSON.stringify(used)} is already in use`;
  }
  return undefined;
}

function conditionOf(
  crd: Readonly<CustomResourceDefinition>,
  type: string,
): CustomResourceDefinitionCondition | undefined {
  return crd.status?.conditions?.find((condition) => condition.type === type);
}
