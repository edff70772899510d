/** Registers the Node and keeps its status and Lease fresh. */

import type { Node, NodeStatus } from "#cluster/api/generated/core-v1.ts";
import type { NodeConfig } from "#cluster/api/process-config.ts";
import { LEASES, NODES } from "#cluster/api/resources.ts";
import { hasReason } from "#cluster/api/status-error.ts";
import type { KubeClient } from "#cluster/client/client.ts";
import { delay, rfc3339 } from "#cluster/client/clock.ts";
import { type Log, describeError } from "#cluster/client/log.ts";
import { type MachineFacts, readPressure } from "./machine.ts";
import { nodeLabels, nodeStatus } from "./node-object.ts";

export interface RegistrationOptions {
  client: KubeClient;
  config: NodeConfig;
  machine: MachineFacts;
  log: Log;
  signal: AbortSignal;
}

const LEASE_NAMESPACE = "kube-node-lease";
const LEASE_SECONDS = 40;
const RENEW_MS = 10_000;
/** A status that hasn't changed is written this often. */
const REPORT_MS = 300_000;
const RETRY_MS = 500;

/** Tries until the Node is there; then `keepAlive` goes on. */
export async function registerNode(options: RegistrationOptions): Promise<void> {
  const { signal, log } = options;
  while (!signal.aborted) {
    try {
      await ensureNode(options);
      await Promise.all([writeStatus(options, { isDue: true }), renewLease(options)]);
      return;
    } catch (error) {
      log(`node ${options.config.nodeName} can't be registered yet: ${describeError(error)}`);
      await delay(RETRY_MS, signal);
    }
  }
}

/**
 * Renews the Lease every 10 s and writes the status when the server has another one, until the
 * signal aborts. The server's can differ through others: a silent node is marked NotReady.
 */
export async function keepAlive(options: RegistrationOptions): Promise<void> {
  let reportedMs = Date.now();
  while (!options.signal.aborted) {
    await delay(RENEW_MS, options.signal);
    if (options.signal.aborted) return;
    try {
      await renewLease(options);
      const isDue = Date.now() - reportedMs >= REPORT_MS;
      if (await writeStatus(options, { isDue })) reportedMs = Date.now();
    } catch (error) {
      options.log(`node ${options.config.nodeName}: ${describeError(error)}`);
      if (hasReason(error, "NotFound")) await registerNode(options);
    }
  }
}

async function ensureNode({ client, config, machine }: RegistrationOptions): Promise<void> {
  const labels = nodeLabels(config, machine);
  const { podCidr } = config;
  try {
    await client.create(NODES, {
      metadata: { name: config.nodeName, labels },
      spec: { podCIDR: podCidr, podCIDRs: [podCidr] },
    });
  } catch (error) {
    if (!hasReason(error, "AlreadyExists")) throw error;
    const node = await client.get(NODES, { name: config.nodeName });
    const spec = node.spec?.podCIDR === podCidr ? {} : { podCIDR: podCidr, podCIDRs: [podCidr] };
    const isSame = Object.entries(labels).every(
      ([key, value]) => node.metadata.labels?.[key] === value,
    );
    if (isSame && Object.keys(spec).length === 0) return;
    const body = { metadata: { labels }, spec };
    await client.patch(NODES, { name: config.nodeName }, { type: "merge", body });
  }
}

/** Whether the status was written: when it is due, or conditions differ from the server's. */
async function writeStatus(
  { client, config, machine }: RegistrationOptions,
  { isDue }: { isDue: boolean },
): Promise<boolean> {
  const node: Node = await client.get(NODES, { name: config.nodeName });
  const status = nodeStatus({
    config,
    machine,
    pressure: await readPressure(config.stateDir),
    problem: undefined,
    existing: node.status?.conditions ?? [],
    now: rfc3339(Date.now()),
  });
  if (!isDue && isTold(status, node.status)) return false;
  await client.patch(
    NODES,
    { name: config.nodeName },
    { type: "merge", subresource: "status", body: { status } },
  );
  return true;
}

/** Whether the server's conditions say what ours do, heartbeats apart. */
function isTold(wanted: NodeStatus, given: NodeStatus | undefined): boolean {
  return (wanted.conditions ?? []).every(({ type, status, reason, message }) =>
    given?.conditions?.some(
      (known) =>
        known.type === type &&
        known.status === status &&
        known.reason === reason &&
        known.message === message,
    ),
  );
}

async function renewLease({ client, config }: RegistrationOptions): Promise<void> {
  const at = { namespace: LEASE_NAMESPACE, name: config.nodeName };
  // A MicroTime: six digits of fraction.
  const renewTime = `${new Date().toISOString().slice(0, 23)}000Z`;
  try {
    await client.patch(LEASES, at, { type: "merge", body: { spec: { renewTime } } });
  } catch (error) {
    if (!hasReason(error, "NotFound")) throw error;
    const node = await client.get(NODES, { name: config.nodeName });
    const owner = {
      apiVersion: "v1",
      kind: "Node",
      name: config.nodeName,
      uid: node.metadata.uid ?? "",
    };
    await client.create(LEASES, {
      metadata: { ...at, ownerReferences: [owner] },
      spec: { holderIdentity: config.nodeName, leaseDurationSeconds: LEASE_SECONDS, renewTime },
    });
  }
}
