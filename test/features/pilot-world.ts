/** A discovery server in this process, its world written in YAML. */

import { loadAll } from "js-yaml";
import type { KubeObject } from "#cluster/api/meta.ts";
import { ObjectFeed } from "#pilot/config/object-feed.ts";
import type { SecretAccess } from "#pilot/cache/view.ts";
import { Pusher } from "#pilot/push/pusher.ts";
import { startDiscoveryServer } from "#pilot/xds/discovery-server.ts";
import type { DiscoveryServer } from "#pilot/xds/discovery-server.ts";
import type { Rejection } from "#pilot/xds/stream-events.ts";

export interface PilotWorld {
  readonly server: DiscoveryServer;
  readonly pusher: Pusher;
  readonly rejections: readonly Rejection[];
  readonly logged: readonly string[];
  /** Creates or replaces the objects of YAML documents. */
  apply(yaml: string): void;
  delete(yaml: string): void;
  close(): Promise<void>;
}

export function parseObjects(yaml: string): KubeObject[] {
  return (loadAll(yaml) as (KubeObject | null)[]).filter((object) => object !== null);
}

/** Starts on any free port of loopback, complete with the objects given. */
export async function startPilot(
  yaml = "",
  secrets: SecretAccess = "everybody",
): Promise<PilotWorld> {
  const logged: string[] = [];
  const rejections: Rejection[] = [];
  const log = (line: string): void => void logged.push(line);
  const pusher = new Pusher({ log });
  const feed = new ObjectFeed({
    apply: (changes) => pusher.apply(changes),
    log,
    clusterDomain: "cluster.local",
  });
  const handle = (type: "upsert" | "delete", text: string): void => {
    for (const object of parseObjects(text)) feed.handle({ type, object });
  };
  handle("upsert", yaml);
  pusher.start();
  const server = await startDiscoveryServer({
    address: "127.0.0.1",
    version: "test",
    port: 0,
    openView: (node, options) => pusher.open(node, { ...options, secrets }),
    events: {
      sent: () => undefined,
      acknowledged: () => undefined,
      recovered: () => undefined,
      converged: () => undefined,
      rejected: (rejection) => rejections.push(rejection),
    },
    log,
  });
  return {
    server,
    pusher,
    rejections,
    logged,
    apply: (text) => handle("upsert", text),
    delete: (text) => handle("delete", text),
    close: () => server.close(),
  };
}
