/**
 * How a program is started inside a network namespace: by `nsenter --net`, which changes only that.
 * `ip netns exec` would also unshare the mounts and put a fresh /sys over the old one, without the
 * cgroup file systems below it: crun and the cgroup accounting would find nothing there.
 */

import { requireNamespaceName } from "./name.ts";

/** Where iproute2 keeps a handle of each named namespace; absent until the first is made. */
export const NETNS_DIR = "/var/run/netns";

/** The handle of a named namespace; throws on a name that is no file name. */
export function namespacePath(namespace: string): string {
  requireNamespaceName(namespace);
  return `${NETNS_DIR}/${namespace}`;
}

/** The command line that runs `args` inside the namespace (this one when undefined). */
export function namespaceCommand(
  namespace: string | undefined,
  args: readonly [string, ...string[]],
): [string, ...string[]] {
  return namespace === undefined
    ? [...args]
    : ["nsenter", `--net=${namespacePath(namespace)}`, "--", ...args];
}
