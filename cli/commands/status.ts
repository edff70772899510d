/** `lateen status`: where a cluster can be reached and how its processes are. */

import { readFile } from "node:fs/promises";
import { createClient } from "#cluster/client/http-client.ts";
import { loadKubeconfig } from "#cluster/client/kubeconfig.ts";
import { NODES } from "#cluster/api/resources.ts";
import type { ClusterOptions, ClusterRecord, StatePaths } from "#cli/state.ts";
import { UsageError, isMissing, readClusterRecord, statePaths } from "#cli/state.ts";
import { identify, isAlive, residentBytes } from "#cli/supervisor/process-table.ts";
import { recordedComponents, runningSupervisor } from "#cli/supervisor/supervisor.ts";
import { ingressUrls } from "./ingress-urls.ts";

/** The answer of `status -o json`. */
export interface ClusterStatus {
  name: string;
  running: boolean;
  kubeconfig: string;
  apiServer: string;
  /** URLs on localhost; null until the ingress gateway has its ports. */
  ingress: { http: string | null; https: string | null };
  nodes: { name: string; ready: boolean; address: string }[];
  components: { name: string; pid: number | null; ready: boolean; rssBytes: number }[];
}

/** Reads the state of a cluster; throws UsageError when it was never brought up. */
export async function clusterStatus(options: ClusterOptions): Promise<ClusterStatus> {
  const paths = statePaths(options);
  const record = await readClusterRecord(paths);
  if (record === undefined) {
    throw new UsageError(`there is no cluster '${options.name}': start it with \`lateen up\``);
  }
  const supervisor = await runningSupervisor(paths);
  const live = supervisor === undefined ? undefined : await askApiServer(paths, record);
  return {
    name: record.name,
    running: supervisor !== undefined,
    kubeconfig: paths.kubeconfig,
    apiServer: `https://127.0.0.1:${record.apiServerPort}`,
    ingress: live?.ingress ?? { http: null, https: null },
    nodes: live?.nodes ?? [],
    components: await componentStates(paths, supervisor?.pid),
  };
}

/** Prints the status for people; returns the exit code (0 when everything is ready). */
export async function printStatus(
  options: ClusterOptions,
  json: boolean,
  print: (line: string) => void,
): Promise<number> {
  const status = await clusterStatus(options);
  const ready = status.running && status.components.every((component) => component.ready);
  if (json) {
    print(JSON.stringify(status, null, 2));
    return ready ? 0 : 1;
  }
  print(`cluster     ${status.name}  ${status.running ? "running" : "down"}`);
  print(`kubeconfig  ${status.kubeconfig}`);
  print(`API server  ${status.apiServer}`);
  print(`ingress     ${status.ingress.http ?? "-"}  ${status.ingress.https ?? ""}`);
  for (const node of status.nodes) {
    print(`node        ${node.name}  ${node.address}  ${node.ready ? "Ready" : "NotReady"}`);
  }
  for (const component of status.components) {
    const mib = `${Math.round(component.rssBytes / 1024 ** 2)} MiB`;
    const pid = component.pid === null ? "-" : String(component.pid);
    const state = component.ready ? "ready" : "not ready";
    print(`  ${component.name.padEnd(22)} pid ${pid.padEnd(8)} ${mib.padStart(8)}  ${state}`);
  }
  return ready ? 0 : 1;
}

async function componentStates(
  paths: StatePaths,
  supervisorPid: number | undefined,
): Promise<ClusterStatus["components"]> {
  const recorded = await recordedComponents(paths);
  const components = await Promise.all(
    recorded.map(async ({ name, process: identity, ready }) => {
      const alive = identity !== undefined && (await isAlive(identity));
      return {
        name,
        pid: alive ? identity.pid : null,
        ready: alive && ready,
        rssBytes: alive ? await residentBytes(identity.pid) : 0,
      };
    }),
  );
  if (supervisorPid === undefined) return components;
  const alive = (await identify(supervisorPid)) !== undefined;
  const rssBytes = await residentBytes(supervisorPid);
  return [{ name: "supervisor", pid: supervisorPid, ready: alive, rssBytes }, ...components];
}

async function askApiServer(
  paths: StatePaths,
  record: ClusterRecord,
): Promise<Pick<ClusterStatus, "ingress" | "nodes"> | undefined> {
  const kubeconfig = await readFile(paths.kubeconfig, "utf8").catch((error: unknown) => {
    if (isMissing(error)) return undefined;
    throw error;
  });
  if (kubeconfig === undefined) return undefined;
  const client = createClient(await loadKubeconfig(paths.kubeconfig));
  try {
    const nodes = await client.list(NODES);
    const { http, https } = await ingressUrls(client);
    return {
      ingress: { http, https },
      nodes: nodes.items.map((node) => ({
        name: node.metadata.name,
        ready:
          node.status?.conditions?.some((c) => c.type === "Ready" && c.status === "True") === true,
        address: node.status?.addresses?.find((a) => a.type === "InternalIP")?.address ?? "",
      })),
    };
  } catch (error) {
    console.error(`the API server of '${record.name}' does not answer: ${String(error)}`);
    return undefined;
  } finally {
    client.close();
  }
}
