/** Where a node's files are: `<state>/nodes/<node>/`. */

import { join } from "node:path";

const UID = /^[A-Za-z0-9-]{1,64}$/;
const NAME = /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/;

export interface NodePaths {
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

/** Throws when the node's name can't be a folder's name. */
export function nodePaths(stateDir: string, nodeName: string): NodePaths {
  const nodeDir = join(stateDir, "nodes", checked(NAME, nodeName, "node name"));
  const podsDir = join(nodeDir, "pods");
  const logsDir = join(nodeDir, "logs");
  const podLogDir = (pod: { namespace: string; name: string; uid: string }): string => {
    const namespace = checked(NAME, pod.namespace, "namespace");
    const name = checked(NAME, pod.name, "pod name");
    return join(logsDir, `${namespace}_${name}_${checked(UID, pod.uid, "pod uid")}`);
  };
  return {
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
