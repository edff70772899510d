/** Keeps the localhost gateway's files as the LoadBalancer Services say. */

import { setTimeout as delay } from "node:timers/promises";
import type { Service } from "#cluster/api/generated/core-v1.ts";
import { SERVICES } from "#cluster/api/resources.ts";
import { hasReason } from "#cluster/api/status-error.ts";
import type { KubeClient } from "#cluster/client/client.ts";
import { createInformer } from "#cluster/client/create-informer.ts";
import { describeError, stderrLog } from "#cluster/client/log.ts";
import type { Log } from "#cluster/client/log.ts";
import { bootstrapFile, clustersFile, listenersFile } from "./envoy-files.ts";
import { gatewayPorts, replaceFile } from "./gateway.ts";
import { localhostPorts, planLocalhost, PORTS_ANNOTATION, serviceKey } from "./plan.ts";
import type { LocalhostPlan } from "./plan.ts";

export interface LocalhostOptions {
  client: KubeClient;
  /** The gateway's folder: `bootstrap.yaml`, `lds.yaml`, `cds.yaml`, `admin.sock`. */
  dir: string;
  signal: AbortSignal;
  /** Whether 127.0.0.1:PORT can be listened on now. */
  isPortFree: (port: number) => Promise<boolean>;
  log?: Log;
}

/** Ports found taken in one round of planning. */
const MAX_TAKEN = 256;
const RETRY_MS = 1_000;

/**
 * Runs until the signal aborts. The bootstrap is there when the call returns its promise, so that
 * the gateway can be started. The files stay: the gateway goes on without us.
 */
export async function runLocalhost(options: LocalhostOptions): Promise<void> {
  const { client, dir, signal, log = stderrLog } = options;
  replaceFile(dir, "bootstrap.yaml", bootstrapFile(dir));
  const services = createInformer(client, SERVICES);
  let wake: () => void = () => undefined;
  let isChanged = true;
  const notice = (): void => {
    isChanged = true;
    wake();
  };
  services.onChange(notice);
  signal.addEventListener("abort", notice, { once: true });
  const gateway = await takeOver(dir);

  async function follow(): Promise<void> {
    while (!signal.aborted) {
      isChanged = false;
      try {
        const plan = await planWithFreePorts(services.lister.list(), gateway, options);
        applyPlan(gateway, plan, dir);
        await remember(client, services.lister.list(), plan);
      } catch (error) {
        if (signal.aborted) return;
        log(`localhost: ${describeError(error)}; trying again`);
        isChanged = true;
        await delay(RETRY_MS, undefined, { signal }).catch(() => undefined);
      }
      if (!isChanged) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    }
  }

  const running = services.run(signal);
  await Promise.race([services.synced, running]);
  if (!signal.aborted) await follow();
  await running;
}

/** What the gateway was told last. */
interface Gateway {
  /** Ports that are its own, so they may be taken and are yet ours. */
  ports: Set<number>;
  listeners: string;
  clusters: string;
}

/** A gateway that runs keeps its files; one that will be started begins with nothing. */
async function takeOver(dir: string): Promise<Gateway> {
  const ports = await gatewayPorts(dir);
  if (ports.size > 0) return { ports, listeners: "", clusters: "" };
  const gateway = { ports, listeners: "", clusters: "" };
  applyPlan(gateway, { routes: [], remembered: new Map() }, dir);
  return gateway;
}

/** Asks of each port that is new to the gateway whether it is free, and plans again if not. */
async function planWithFreePorts(
  services: readonly Service[],
  gateway: Gateway,
  options: LocalhostOptions,
): Promise<LocalhostPlan> {
  const unavailable = new Set<number>();
  for (;;) {
    const plan = planLocalhost(services, unavailable);
    const unknown = plan.routes.filter(({ localPort }) => !gateway.ports.has(localPort));
    const busy: number[] = [];
    for (const { localPort } of unknown) {
      if (!(await options.isPortFree(localPort))) busy.push(localPort);
    }
    if (busy.length === 0) return plan;
    for (const port of busy) unavailable.add(port);
    if (unavailable.size > MAX_TAKEN) throw new Error("finds no free ports on 127.0.0.1");
  }
}

function applyPlan(gateway: Gateway, plan: LocalhostPlan, dir: string): void {
  const clusters = clustersFile(plan.routes);
  const listeners = listenersFile(plan.routes);
  // Clusters first, so that a new listener finds its own.
  if (clusters !== gateway.clusters) replaceFile(dir, "cds.yaml", clusters);
  if (listeners !== gateway.listeners) replaceFile(dir, "lds.yaml", listeners);
  gateway.clusters = clusters;
  gateway.listeners = listeners;
  gateway.ports = new Set(plan.routes.map((route) => route.localPort));
}

/** Writes the ports onto their Services, where they are found again after a restart. */
async function remember(
  client: KubeClient,
  services: readonly Service[],
  plan: LocalhostPlan,
): Promise<void> {
  for (const service of services) {
    const ports = plan.remembered.get(serviceKey(service));
    const wanted = ports === undefined ? undefined : JSON.stringify(ports);
    if (isRemembered(service, ports)) continue;
    const { namespace, name } = service.metadata;
    const body = { metadata: { annotations: { [PORTS_ANNOTATION]: wanted ?? null } } };
    try {
      await client.patch(SERVICES, { namespace, name }, { type: "merge", body });
    } catch (error) {
      // Deleted meanwhile: the next plan is without it.
      if (!hasReason(error, "NotFound")) throw error;
    }
  }
}

/** A Service that waits for its address keeps what it had. */
function isRemembered(service: Service, ports: Record<string, number> | undefined): boolean {
  const has = service.metadata.annotations?.[PORTS_ANNOTATION] !== undefined;
  if (ports === undefined) return !has || service.spec?.type === "LoadBalancer";
  const known = localhostPorts(service);
  const names = Object.keys(ports);
  return (
    names.length === Object.keys(known).length && names.every((name) => known[name] === ports[name])
  );
}
