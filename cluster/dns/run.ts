/** The cluster's DNS on one node. */

import { networkInterfaces } from "node:os";
import type { DnsConfig } from "#cluster/api/process-config.ts";
import type { KubeClient } from "#cluster/client/client.ts";
import { stderrLog } from "#cluster/client/log.ts";
import type { Log } from "#cluster/client/log.ts";
import { createEntrySource } from "./entry-source.ts";
import { answerEntry } from "./entry.ts";
import { requireServers } from "./relay.ts";
import { createResponder } from "./responder.ts";
import { serveDns } from "./serve.ts";
import { createUpstream } from "./upstream.ts";
import { createZoneSource } from "./zone-source.ts";
import { RCODE } from "./wire.ts";
import { answerZone } from "./zone.ts";

export interface ClusterDnsOptions {
  client: KubeClient;
  config: Omit<DnsConfig, "kubeconfig">;
  signal: AbortSignal;
  /** Called once all objects are known and every address listens. */
  onReady: (port: number) => void;
  log?: Log;
}

/**
 * Serves until the signal aborts: on the configured address and, when it is on a link of this
 * namespace, on the cluster's DNS address. Answers come from the last state known, also while the
 * API server is away.
 */
export async function runClusterDns(options: ClusterDnsOptions): Promise<void> {
  const { client, config, signal, log = stderrLog } = options;
  const { network } = config;
  const zone = {
    domain: network.clusterDomain.toLowerCase(),
    dnsAddress: network.dnsAddress,
    ownCidrs: [network.serviceCidr, network.podCidr],
  };
  const upstream = createUpstream({ servers: requireServers(config.upstreams), signal });
  const { source, synced, run } = createZoneSource(client, () => responder.forget());
  const entries = createEntrySource(client, () => responder.forget());
  const responder = createResponder({
    answerZone(question) {
      const own = answerZone(question, source, zone);
      if (own !== undefined && own.rcode !== RCODE.NXDOMAIN) return own;
      return answerEntry(question, entries.source, zone.domain) ?? own;
    },
    upstream,
  });
  const running = Promise.all([run(signal), entries.run(signal)]);
  await Promise.race([Promise.all([synced, entries.synced]), running]);
  if (!signal.aborted) {
    const { port } = await serveDns(config.listen, responder.respond, signal);
    for (const address of extraAddresses(config, log)) {
      await serveDns({ address, port }, responder.respond, signal);
    }
    options.onReady(port);
  }
  await running;
}

function extraAddresses(config: Omit<DnsConfig, "kubeconfig">, log: Log): string[] {
  const { dnsAddress } = config.network;
  if (config.listen.address === dnsAddress || config.listen.address === "0.0.0.0") return [];
  const own = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  if (own.some((at) => at.address === dnsAddress)) return [dnsAddress];
  log(`dns: ${dnsAddress} is on no link of this namespace, so only a Service leads here`);
  return [];
}
