/** From a pod's container to what the runtime is asked for. */

import { createHash } from "node:crypto";
import { chmod, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Container, Pod, VolumeMount } from "#cluster/api/generated/core-v1.ts";
import type {
  ContainerConfig,
  ContainerMount,
  ContainerSecurity,
} from "#cluster/runtime/container.ts";
import { ContainerError } from "#cluster/runtime/container.ts";
import type { Image } from "#cluster/runtime/image.ts";
import { expand } from "./expansion.ts";
import type { NodePaths } from "./node-paths.ts";
import { podIdentity } from "./pod-parts.ts";
import { podGroupPath } from "./pod-group.ts";
import { containerResources } from "./resources.ts";
import { resolveSubPath } from "./volumes/sub-path.ts";

export interface ContainerConfigInput {
  pod: Pod;
  container: Container;
  attempt: number;
  image: Image;
  env: ReadonlyMap<string, string>;
  /** Where each volume lies on the host. */
  volumes: ReadonlyMap<string, string>;
  /** Folder with the pod's `hosts`, `hostname` and `resolv.conf`. */
  networkDir: string;
  hostname: string;
  netnsPath: string | undefined;
  paths: NodePaths;
  cgroupParent: string;
  nodeMemoryBytes: number;
}

/** Changes when a running container no longer is what the pod asks for (only images may change). */
export function specHash(container: Container): string {
  const { name, image } = container;
  return createHash("sha256")
    .update(JSON.stringify([name, image]))
    .digest("hex")
    .slice(0, 16);
}

/** Where the container's last words are kept on the host. */
export function terminationFile(
  paths: NodePaths,
  podUid: string,
  container: string,
  attempt: number,
): string {
  return join(paths.podDir(podUid), "termination", `${container}-${attempt}`);
}

/** Makes the files that are mounted, and fails with CreateContainerConfigError in words. */
export async function buildContainerConfig(input: ContainerConfigInput): Promise<ContainerConfig> {
  const { pod, container, env, attempt } = input;
  const identity = podIdentity(pod);
  const spec = pod.spec;
  return {
    identity: {
      podUid: identity.uid,
      podNamespace: identity.namespace,
      podName: identity.name,
      name: container.name,
      attempt,
    },
    specHash: specHash(container),
    image: input.image,
    command: (container.command ?? []).map((text) => expand(text, env)),
    args: (container.args ?? []).map((text) => expand(text, env)),
    env: [...env],
    workingDir: container.workingDir ?? "",
    hostname: input.hostname,
    netnsPath: input.netnsPath,
    hostPid: spec?.hostPID === true,
    hostIpc: spec?.hostIPC === true,
    security: securityOf(pod, container),
    resources: containerResources(pod, container, input.nodeMemoryBytes),
    mounts: await mountsOf(input),
    sysctls: Object.fromEntries(
      (spec?.securityContext?.sysctls ?? []).map(({ name, value }) => [name, value]),
    ),
    tty: container.tty === true,
    stdin: container.stdin === true,
    stdinOnce: container.stdinOnce === true,
    logPath: input.paths.logFile(identity, container.name, attempt),
    cgroupParent: podGroupPath(input.cgroupParent, identity.uid),
    stopSignal: container.lifecycle?.stopSignal,
  };
}

function securityOf(pod: Pod, container: Container): ContainerSecurity {
  const forPod = pod.spec?.securityContext ?? {};
  const own = container.securityContext ?? {};
  const privileged = own.privileged === true;
  return {
    uid: own.runAsUser ?? forPod.runAsUser,
    gid: own.runAsGroup ?? forPod.runAsGroup,
    supplementalGroups: [
      ...(forPod.fsGroup === undefined ? [] : [forPod.fsGroup]),
      ...(forPod.supplementalGroups ?? []),
    ],
    runAsNonRoot: own.runAsNonRoot ?? forPod.runAsNonRoot ?? false,
    privileged,
    readOnlyRoot: own.readOnlyRootFilesystem === true,
    noNewPrivileges: own.allowPrivilegeEscalation === false && !privileged,
    addCapabilities: own.capabilities?.add ?? [],
    dropCapabilities: own.capabilities?.drop ?? [],
  };
}

async function mountsOf(input: ContainerConfigInput): Promise<ContainerMount[]> {
  const { container, volumes, env, networkDir, paths, pod, attempt } = input;
  const mounts: ContainerMount[] = [];
  for (const mount of container.volumeMounts ?? []) {
    const volume = volumes.get(mount.name);
    if (volume === undefined) throw configError(`volume "${mount.name}" is not known`);
    mounts.push({
      source: await sourceOf(mount, volume, env),
      target: checkedTarget(mount.mountPath),
      readOnly: mount.readOnly === true,
    });
  }
  const taken = new Set(mounts.map(({ target }) => target));
  const own: ContainerMount[] = [];
  for (const name of ["hosts", "hostname", "resolv.conf"]) {
    const file = { source: join(networkDir, name), target: `/etc/${name}`, readOnly: false };
    if (!taken.has(file.target)) own.push(file);
  }
  const { uid } = podIdentity(pod);
  const words = terminationFile(paths, uid, container.name, attempt);
  await mkdir(join(words, ".."), { recursive: true, mode: 0o755 });
  await writeFile(words, "");
  // Any user may write its last words; a mode given to writeFile is subject to the umask.
  await chmod(words, 0o666);
  const target = checkedTarget(container.terminationMessagePath ?? "/dev/termination-log");
  if (!taken.has(target)) own.push({ source: words, target, readOnly: false });
  return [...own, ...mounts];
}

async function sourceOf(
  mount: VolumeMount,
  volume: string,
  env: ReadonlyMap<string, string>,
): Promise<string> {
  const { subPath, subPathExpr } = mount;
  const inside =
    subPathExpr === undefined || subPathExpr === "" ? subPath : expand(subPathExpr, env);
  if (inside === undefined || inside === "") return volume;
  return resolveSubPath(volume, inside).catch((error: Error) => {
    throw configError(`volumeMount ${mount.mountPath}: ${error.message}`);
  });
}

function checkedTarget(path: string): string {
  if (path.split("/").includes("..")) throw configError(`mountPath ${path} must not contain ".."`);
  const absolute = path.startsWith("/") ? path : `/${path}`;
  return absolute.length > 1 && absolute.endsWith("/") ? absolute.slice(0, -1) : absolute;
}

function configError(message: string): ContainerError {
  return new ContainerError("CreateContainerConfigError", message);
}
