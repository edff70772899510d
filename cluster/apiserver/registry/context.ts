/** What every operation of the registry works with. */

import type { KubeObject, ManagedFieldsEntry } from "#cluster/api/meta.ts";
import type { ClusterNetwork } from "#cluster/api/process-config.ts";
import type { User } from "#cluster/apiserver/auth/user.ts";
import type { Kind } from "#cluster/apiserver/kinds/kind.ts";
import type { Store } from "#cluster/storage/store.ts";
import type { KindTable } from "./kind-table.ts";

/** What admission may look at and change before an object is stored. */
export interface AdmissionRequest {
  readonly operation: "CREATE" | "UPDATE" | "DELETE";
  readonly kind: Kind;
  readonly namespace: string;
  /** Empty when the name will be made from generateName. */
  readonly name: string;
  readonly subresource: string;
  readonly user: User;
  readonly dryRun: boolean;
  /** Plugins write into it or replace it; of a deletion, what is deleted. */
  object: KubeObject;
  readonly old?: Readonly<KubeObject>;
  /** The managedFields that the object will have; it has none itself before it is stored. */
  readonly owners?: readonly ManagedFieldsEntry[];
  readonly warnings: string[];
  readonly signal: AbortSignal;
}

/** One step of admission; both ways throw a StatusError to refuse the request. */
export interface AdmissionPlugin {
  readonly name: string;
  /** Before the object is checked; may change it. */
  admit?(request: AdmissionRequest, context: RegistryContext): Promise<void> | void;
  /** When the object is what will be stored; must not change it. */
  validate?(request: AdmissionRequest, context: RegistryContext): Promise<void> | void;
}

/**
 * Hands out something that must be unique in the cluster (addresses, ports) while a write is
 * under way, and takes it back when the write failed.
 */
export interface Allocator {
  readonly kind: Pick<Kind, "group" | "plural">;
  /** Writes what it allocates into `object`; throws a StatusError when it can't. */
  allocate(object: KubeObject, old: Readonly<KubeObject> | undefined): () => void;
}

export interface RegistryContext {
  readonly store: Store;
  readonly kinds: KindTable;
  readonly network: ClusterNetwork;
  readonly admission: readonly AdmissionPlugin[];
  readonly allocators: readonly Allocator[];
  /** Milliseconds since the epoch. */
  now(): number;
}

/** RFC 3339 in whole seconds, as metadata has it. */
export function timestamp(milliseconds: number): string {
  return `${new Date(milliseconds).toISOString().slice(0, 19)}Z`;
}
