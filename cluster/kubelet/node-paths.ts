/** Where a node's files are, below `NodeConfig.stateDir` (`<cluster>/nodes/<node>`). */

import { dirname, join, sep } from "node:path";
import type { NodeConfig } from "#cluster/api/process-config.ts";

const UID = /^[A-Za-z0-9-]{1,64}$/;
const NAME = /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/;

export interface NodePaths {
  /** The cluster's whole state folder, which no container may see. */
  readonly clusterDir: string;
  readonly nodeDir: string;
  readonly podsDir: string;
  readonly logsDir: string;
  /** Throws when the uid can't be a folder's name. */
  podDir(uid: string): string;
  /** The log file of a container's attempt; its names must be valid Kubernetes names. */
  logFile(
    pod: { namespace: string; name: string; uid: string },
    container: string,
    attempt: number,
  ): string;
  podLogDir(pod: { namespace: string; name: string; uid: string }): string;
}

/** Reads nothing: the paths follow from the configuration. */
export function nodePaths(config: Pick<NodeConfig, "stateDir" | "imagesFile">): NodePaths {
  const nodeDir = config.stateDir;
  // `<cluster>/config/images.yaml`; in other arrangements the node's folder stands alone.
  const above = dirname(dirname(config.imagesFile));
  const clusterDir = nodeDir.startsWith(above + sep) && above !== sep ? above : nodeDir;
  const podsDir = join(nodeDir, "pods");
  const logsDir = join(nodeDir, "logs");
  const podLogDir = (pod: { namespace: string; name: string; uid: string }): string => {
    const namespace = checked(NAME, pod.namespace, "namespace");
    const name = checked(NAME, pod.name, "pod name");
    return join(logsDir, `${namespace}_${name}_${checked(UID, pod.uid, "pod uid")}`);
  };
  return {
    clusterDir,
    nodeDir,
    podsDir,
    logsDir,
    podDir: (uid) => join(podsDir, checked(UID, uid, "pod uid")),
    podLogDir,
    logFile: (pod, container, attempt) =>
      join(podLogDir(pod), checked(NAME, container, "container name"), `${attempt}.log`),
  };
}

function checked(pattern: RegExp, text: string, what: string): string {
  if (pattern.test(text)) return text;
  throw new Error(`${what} ${JSON.stringify(text)} can't be part of a path`);
}
