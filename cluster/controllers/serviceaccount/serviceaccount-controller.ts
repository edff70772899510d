/** Gives each namespace what every pod in it relies on. */

import type { ConfigMap, Namespace } from "#cluster/api/generated/core-v1.ts";
import { CONFIG_MAPS, NAMESPACES, SERVICE_ACCOUNTS } from "#cluster/api/resources.ts";
import { hasReason } from "#cluster/api/status-error.ts";
import type { ControllerContext } from "#cluster/client/controller-context.ts";
import { runReconciler } from "#cluster/client/reconciler.ts";
import { WorkQueue } from "#cluster/client/work-queue.ts";

const CONCURRENCY = 4;
const ACCOUNT = "default";
const ROOT_CA = "kube-root-ca.crt";
const ROOT_CA_NOTE =
  "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes clusters.";

/**
 * Keeps the ServiceAccount `default` and the ConfigMap `kube-root-ca.crt` (the PEM bundle `rootCa`)
 * in every namespace that isn't being deleted; runs until the context's signal aborts.
 */
export async function runServiceAccountController(
  context: ControllerContext,
  rootCa: string,
): Promise<void> {
  const { informers, clock, signal } = context;
  const queue = new WorkQueue(clock);
  const namespaces = informers.get(NAMESPACES);
  const accounts = informers.get(SERVICE_ACCOUNTS);
  const configMaps = informers.get(CONFIG_MAPS);

  namespaces.onChange(({ object }) => queue.add(object.metadata.name));
  accounts.onChange(({ kind, object }) => {
    if (kind === "deleted" && object.metadata.name === ACCOUNT) enqueue(object.metadata.namespace);
  });
  configMaps.onChange(({ object }) => {
    if (object.metadata.name === ROOT_CA) enqueue(object.metadata.namespace);
  });
  function enqueue(namespace: string | undefined): void {
    if (namespace !== undefined) queue.add(namespace);
  }

  await Promise.all([namespaces.synced, accounts.synced, configMaps.synced]);
  await runReconciler({
    name: "serviceaccount-controller",
    queue,
    concurrency: CONCURRENCY,
    signal,
    async reconcile(name) {
      const namespace = namespaces.lister.get(undefined, name);
      if (namespace === undefined || !isActive(namespace)) return;
      if (accounts.lister.get(name, ACCOUNT) === undefined) await createAccount(context, name);
      await ensureRootCa(context, rootCa, {
        namespace: name,
        existing: configMaps.lister.get(name, ROOT_CA),
      });
    },
  });
}

function isActive(namespace: Namespace): boolean {
  return (
    namespace.metadata.deletionTimestamp === undefined && namespace.status?.phase !== "Terminating"
  );
}

async function createAccount({ client, signal }: ControllerContext, ns: string): Promise<void> {
  const account = { metadata: { namespace: ns, name: ACCOUNT } };
  await unlessGone(() => client.create(SERVICE_ACCOUNTS, account, { signal }));
}

async function ensureRootCa(
  { client, signal }: ControllerContext,
  rootCa: string,
  at: { namespace: string; existing: ConfigMap | undefined },
): Promise<void> {
  const { namespace, existing } = at;
  const data = { "ca.crt": rootCa };
  if (existing === undefined) {
    const annotations = { "kubernetes.io/description": ROOT_CA_NOTE };
    const metadata = { namespace, name: ROOT_CA, annotations };
    await unlessGone(() => client.create(CONFIG_MAPS, { metadata, data }, { signal }));
  } else if (existing.data?.["ca.crt"] !== rootCa || Object.keys(existing.data).length !== 1) {
    await client.update(CONFIG_MAPS, { ...existing, data }, { signal });
  }
}

/** The object is on its way by the watch, or the namespace has begun to end: nothing to do. */
async function unlessGone(create: () => Promise<unknown>): Promise<void> {
  try {
    await create();
  } catch (error) {
    const isFine = ["AlreadyExists", "NotFound", "Forbidden"] as const;
    if (!isFine.some((reason) => hasReason(error, reason))) throw error;
  }
}
