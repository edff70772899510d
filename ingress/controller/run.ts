/** Deploys the ingress gateway and writes its address into the status of Ingresses. */

import type { ConfigMap, Service } from "#cluster/api/generated/core-v1.ts";
import type { Ingress, IngressClass } from "#cluster/api/generated/networking-v1.ts";
import type { AnyObject } from "#cluster/api/meta.ts";
import {
  CONFIG_MAPS,
  DEPLOYMENTS,
  INGRESSES,
  INGRESS_CLASSES,
  NAMESPACES,
  type Resource,
  SERVICES,
  SERVICE_ACCOUNTS,
} from "#cluster/api/resources.ts";
import { applyObject } from "#cluster/client/apply-object.ts";
import type { KubeClient } from "#cluster/client/client.ts";
import { createInformer } from "#cluster/client/create-informer.ts";
import type { Informer, InformerOptions } from "#cluster/client/informer.ts";
import type { Log } from "#cluster/client/log.ts";
import { runReconciler } from "#cluster/client/reconciler.ts";
import { WorkQueue } from "#cluster/client/work-queue.ts";
import {
  SETTINGS_NAME,
  SETTINGS_NAMESPACE,
  parseIngressSettings,
} from "#ingress/translate/settings.ts";
import { reconcileGateway } from "./gateway-reconcile.ts";
import { wantedStatus } from "./ingress-status.ts";
import { GATEWAY_NAME, GATEWAY_NAMESPACE } from "./manifests.ts";

export interface IngressControllerOptions {
  client: KubeClient;
  signal: AbortSignal;
  log?: Log;
  /** False where somebody else installs the gateway; then only statuses are written. */
  deployGateway?: boolean;
}

/** Queue key of the gateway itself; Ingresses have `namespace/name`. */
const GATEWAY = "gateway";

/** Works until the signal aborts. */
export async function runIngressController(options: IngressControllerOptions): Promise<void> {
  const { client, signal, deployGateway = true } = options;
  const queue = new WorkQueue();
  const inGateway: InformerOptions<AnyObject> = {
    namespace: GATEWAY_NAMESPACE,
    fieldSelector: `metadata.name=${GATEWAY_NAME}`,
  };
  // The settings may name another than the one that is deployed here.
  const services = createInformer(client, SERVICES, { namespace: GATEWAY_NAMESPACE });
  const settings = createInformer(client, CONFIG_MAPS, {
    namespace: SETTINGS_NAMESPACE,
    fieldSelector: `metadata.name=${SETTINGS_NAME}`,
  });
  const classes = createInformer(client, INGRESS_CLASSES);
  const ingresses = createInformer(client, INGRESSES);
  const gateway: Informer<AnyObject>[] = [
    services,
    ...(deployGateway
      ? [
          createInformer(client, DEPLOYMENTS, inGateway),
          createInformer(client, SERVICE_ACCOUNTS, inGateway),
        ]
      : []),
    classes,
  ];
  const addAll = (): void => {
    for (const { metadata } of ingresses.lister.list()) queue.add(keyOf(metadata));
  };
  for (const informer of deployGateway ? gateway : []) {
    informer.onChange(() => queue.add(GATEWAY));
  }
  services.onChange(addAll);
  classes.onChange(addAll);
  settings.onChange(addAll);
  ingresses.onChange(({ object }) => queue.add(keyOf(object.metadata)));

  const informers = [...gateway, ingresses, settings];
  const running = informers.map((informer) => informer.run(signal));
  const working = (async () => {
    await Promise.race([Promise.all(informers.map(({ synced }) => synced)), aborted(signal)]);
    if (signal.aborted) return;
    // In case that nothing of it exists yet, so that no change has been seen.
    if (deployGateway) queue.add(GATEWAY);
    const get = reader(gateway);
    await runReconciler({
      name: "ingress",
      queue,
      concurrency: 2,
      signal,
      log: options.log,
      reconcile: async (key) => {
        if (key === GATEWAY) {
          await ensureNamespace(client);
          await reconcileGateway({
            get,
            apply: (resource, object) => applyObject(client, resource, object),
          });
        } else await writeStatus(client, key, { services, classes, ingresses, settings });
      },
    });
  })();
  await Promise.all([...running, working]);
}

interface Informers {
  services: Informer<Service>;
  classes: Informer<IngressClass>;
  ingresses: Informer<Ingress>;
  settings: Informer<ConfigMap>;
}

async function writeStatus(client: KubeClient, key: string, from: Informers): Promise<void> {
  const [namespace = "", name = ""] = key.split("/");
  const ingress = from.ingresses.lister.get(namespace, name);
  if (ingress === undefined) return;
  const map = from.settings.lister.get(SETTINGS_NAMESPACE, SETTINGS_NAME);
  const settings = parseIngressSettings(map?.data?.mesh);
  const service = from.services.lister.get(GATEWAY_NAMESPACE, settings.service);
  const status = wantedStatus(ingress, from.classes.lister.list(), service, settings);
  if (status === undefined) return;
  const patch = { type: "merge" as const, body: { status }, subresource: "status" };
  await client.patch(INGRESSES, { namespace, name }, patch);
}

async function ensureNamespace(client: KubeClient): Promise<void> {
  await applyObject(client, NAMESPACES, { metadata: { name: GATEWAY_NAMESPACE } });
}

function reader(informers: readonly Informer<AnyObject>[]) {
  return <T extends AnyObject>(resource: Resource<T>, name: string): T | undefined => {
    const informer = informers.find((one) => one.resource.plural === resource.plural);
    const namespace = resource.namespaced ? GATEWAY_NAMESPACE : undefined;
    // The informer of a resource holds objects of the type that its token names.
    return informer?.lister.get(namespace, name) as T | undefined;
  };
}

function keyOf(metadata: { namespace?: string; name: string }): string {
  return `${metadata.namespace ?? ""}/${metadata.name}`;
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => {
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
