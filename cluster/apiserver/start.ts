/** Starts the API server: store, kinds, admission, listeners. */

import { readFile } from "node:fs/promises";
import type { ControlPlaneConfig } from "#cluster/api/process-config.ts";
import { openSqliteStore } from "#cluster/storage/sqlite-store.ts";
import type { Store } from "#cluster/storage/store.ts";
import { DEFAULT_INGRESS_CLASS } from "./admission/default-ingress-class.ts";
import { DEFAULT_TOLERATION_SECONDS } from "./admission/default-tolerations.ts";
import { MUTATING_WEBHOOKS_ADMISSION } from "./admission/mutating-webhooks.ts";
import { NAMESPACE_LIFECYCLE } from "./admission/namespace-lifecycle.ts";
import { SERVICE_ACCOUNT } from "./admission/service-account.ts";
import { VALIDATING_WEBHOOKS_ADMISSION } from "./admission/validating-webhooks.ts";
import { createServiceAllocator } from "./allocation/service-allocator.ts";
import type { Authenticator } from "./auth/authenticate.ts";
import { createToken } from "./auth/token-request.ts";
import { TokenAuthority } from "./auth/tokens.ts";
import { ensureInitialObjects } from "./bootstrap/initial-objects.ts";
import { followDeletions } from "./crd/cleanup.ts";
import { CUSTOM_RESOURCE_DEFINITION, followDefinitions } from "./crd/definitions.ts";
import { Discovery } from "./discovery/discovery.ts";
import { BUILT_IN_KINDS } from "./kinds/table.ts";
import { createPodLog } from "./kubelet-proxy/log.ts";
import { createTunnel } from "./kubelet-proxy/tunnel.ts";
import type { RegistryContext } from "./registry/context.ts";
import { expireEvents } from "./registry/event-expiry.ts";
import { KindTable } from "./registry/kind-table.ts";
import { openListeners } from "./server/listener.ts";
import { RequestMetrics } from "./server/metrics.ts";
import type { Api } from "./server/router.ts";

export interface ApiServer {
  /** Ends watches and listeners, then waits for the store's last write. */
  close(): Promise<void>;
}

/** In the order in which Kubernetes runs them; webhooks see what the others have done. */
const ADMISSION = [
  NAMESPACE_LIFECYCLE,
  SERVICE_ACCOUNT,
  DEFAULT_TOLERATION_SECONDS,
  DEFAULT_INGRESS_CLASS,
  CUSTOM_RESOURCE_DEFINITION,
  MUTATING_WEBHOOKS_ADMISSION,
  VALIDATING_WEBHOOKS_ADMISSION,
];

/**
 * Resolves when the store is open, the cluster's first objects exist and every address is
 * listened on. Rejects naming the file or address that is at fault. The signal closes it too.
 */
export async function startApiServer(
  config: ControlPlaneConfig,
  signal: AbortSignal,
): Promise<ApiServer> {
  const store = await openSqliteStore(config.storeFile);
  const stopping = new AbortController();
  try {
    return await serve({ config, store, stopping }, signal);
  } catch (error) {
    stopping.abort();
    await store.close();
    throw error;
  }
}

async function serve(
  own: { config: ControlPlaneConfig; store: Store; stopping: AbortController },
  signal: AbortSignal,
): Promise<ApiServer> {
  const { config, store, stopping } = own;
  const kinds = new KindTable(BUILT_IN_KINDS);
  followDefinitions(store, kinds);
  const context: RegistryContext = {
    store,
    kinds,
    network: config.network,
    admission: ADMISSION,
    allocators: [createServiceAllocator(store, config.network.serviceCidr)],
    now: Date.now,
  };
  await ensureInitialObjects(context, config.listen, signal);
  followDeletions(context, stopping.signal);
  expireEvents(context, stopping.signal);
  const closeListeners = await openListeners({
    api: await createApi(config, context),
    tunnel: createTunnel(context, await readPki(config.kubeletClient)),
    tls: await readPki(config.serving),
    listen: config.listen,
  });
  let closing: Promise<void> | undefined;
  const close = async (): Promise<void> => {
    stopping.abort();
    await closeListeners();
    await store.close();
  };
  const server: ApiServer = {
    close: () => {
      closing ??= close();
      return closing;
    },
  };
  signal.addEventListener(
    "abort",
    () => {
      server.close().catch((error: unknown) => console.error("closing failed:", error));
    },
    { once: true },
  );
  return server;
}

async function createApi(config: ControlPlaneConfig, context: RegistryContext): Promise<Api> {
  const issuer = `https://kubernetes.default.svc.${config.network.clusterDomain}`;
  const key = await readFile(config.serviceAccountKeyFile, "utf8");
  const authenticator: Authenticator = {
    store: context.store,
    tokens: new TokenAuthority(key, issuer),
    audiences: [issuer],
  };
  const podLog = createPodLog(context, await readPki(config.kubeletClient));
  return {
    context,
    authenticator,
    discovery: new Discovery(context.kinds),
    metrics: new RequestMetrics(),
    parts: {
      podLog,
      createToken: (request, body) => createToken(context, authenticator, { request, body }),
    },
    // Nothing is listened on before everything is there.
    ready: () => true,
  };
}

async function readPki(files: {
  caFile: string;
  certFile: string;
  keyFile: string;
}): Promise<{ ca: Buffer; cert: Buffer; key: Buffer }> {
  const [ca, cert, key] = await Promise.all([
    readFile(files.caFile),
    readFile(files.certFile),
    readFile(files.keyFile),
  ]);
  return { ca, cert, key };
}
