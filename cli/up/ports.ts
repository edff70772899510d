/** Choosing the ports of the host on which a cluster listens. */

import { UsageError } from "#cli/state.ts";
import { isPortFree, isUdpPortFree } from "#cluster/localhost/port-free.ts";

const PORTS_TRIED = 200;
const LOCALHOST = "127.0.0.1";
/**
 * Nobody listens on this loopback address alone: taken here means taken on all addresses, also on
 * the host's fabric address, which isn't there yet.
 */
const ANY_OTHER = "127.255.255.254";

/** Ports on the host's fabric address, where nodes and pods reach what runs on the host. */
export interface FabricPorts {
  apiServer: number;
  discovery: number;
  discoveryHttp: number;
  discoveryWebhook: number;
  dnsRelay: number;
}

/** The usual ports, or the next that no program of the host has taken on all addresses. */
export async function fabricPorts(): Promise<FabricPorts> {
  const isFree = (port: number): Promise<boolean> => isPortFree(port, ANY_OTHER);
  const discovery = await firstFree(15_012, isFree);
  const discoveryHttp = await firstFree(Math.max(15_014, discovery + 1), isFree);
  return {
    apiServer: await firstFree(6443, isFree),
    discovery,
    discoveryHttp,
    discoveryWebhook: await firstFree(Math.max(15_017, discoveryHttp + 1), isFree),
    dnsRelay: (await isFreeForDns(53)) ? 53 : await firstFree(10_053, isFreeForDns),
  };
}

async function isFreeForDns(port: number): Promise<boolean> {
  return (await isPortFree(port, ANY_OTHER)) && (await isUdpPortFree(port, ANY_OTHER));
}

/** The first port of localhost that is free from `start` on; throws UsageError when none is near. */
export async function freePort(start: number): Promise<number> {
  return firstFree(start, (port) => isPortFree(port, LOCALHOST));
}

async function firstFree(
  start: number,
  isFree: (port: number) => Promise<boolean>,
): Promise<number> {
  for (let port = start; port < start + PORTS_TRIED; port++) {
    if (await isFree(port)) return port;
  }
  throw new UsageError(`no free port between ${start} and ${start + PORTS_TRIED}`);
}
