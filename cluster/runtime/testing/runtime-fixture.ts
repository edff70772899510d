/** A node runtime in a folder of its own, for tests that run real containers. */

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { removeCgroup, removeEmptyParents } from "#cluster/runtime/cgroup.ts";
import type { ContainerConfig } from "#cluster/runtime/container.ts";
import { type NodeRuntime, startNodeRuntime } from "#cluster/runtime/node-runtime.ts";
import { findTools } from "#cluster/runtime/oci-runtime.ts";

/** Why real containers can't run here; undefined when they can. */
export async function missingForContainers(): Promise<string | undefined> {
  if (process.getuid?.() !== 0) return "needs root";
  return findTools().then(
    () => undefined,
    (error: Error) => error.message,
  );
}

export interface RuntimeFixture {
  stateDir: string;
  cgroupParent: string;
  runtime: NodeRuntime;
  /** Starts a second runtime on the same folder, as an agent does after a crash. */
  restart(): Promise<NodeRuntime>;
  /** A container of the host image `example.org/host` with this shell script. */
  config(script: string, changes?: Partial<ContainerConfig>): Promise<ContainerConfig>;
  problems: string[];
  close(): Promise<void>;
}

const IMAGES = `
hostImages:
  - name: example.org/host
    mounts: [{ source: /usr/bin, target: /opt/example/bin }]
    entrypoint: [/bin/sh, -c]
    env: { FROM_IMAGE: "yes" }
aliases:
  - { match: "example.org/aliased-*", image: example.org/host }
`;

/** Everything it makes is below a temporary folder and one cgroup, which `close` removes. */
export async function createRuntimeFixture(): Promise<RuntimeFixture> {
  const stateDir = await mkdtemp(join(tmpdir(), "lt-h4-runtime-"));
  const cgroupParent = `lt-h4-${stateDir.slice(-6)}`;
  await writeFile(join(stateDir, "images.yaml"), IMAGES);
  const problems: string[] = [];
  const open = (): Promise<NodeRuntime> =>
    startNodeRuntime({
      stateDir,
      nodeDir: join(stateDir, "nodes", "node-1"),
      imagesFile: join(stateDir, "images.yaml"),
      onChange: () => undefined,
      onProblem: (message) => problems.push(message),
    });
  const fixture: RuntimeFixture = {
    stateDir,
    cgroupParent,
    runtime: await open(),
    problems,
    async restart() {
      fixture.runtime.containers.stop();
      fixture.runtime = await open();
      return fixture.runtime;
    },
    async config(script, changes = {}) {
      const image = await fixture.runtime.images.findLocal("example.org/host");
      if (image === undefined) throw new Error("example.org/host is not configured");
      return containerConfig(fixture, image, { args: [script], ...changes });
    },
    async close() {
      const { containers, cgroups } = fixture.runtime;
      const stops = containers.list().map(({ id }) => containers.stopContainer(id, { graceMs: 0 }));
      await Promise.all(stops);
      containers.stop();
      for (const { id } of containers.list()) await containers.removeContainer(id);
      await removeCgroup(cgroups, cgroupParent);
      await removeEmptyParents(cgroups, cgroupParent);
      await rm(stateDir, { recursive: true, force: true });
    },
  };
  return fixture;
}

function containerConfig(
  fixture: RuntimeFixture,
  image: ContainerConfig["image"],
  changes: Partial<ContainerConfig>,
): ContainerConfig {
  return {
    identity: {
      podUid: "11111111-2222-3333-4444-555555555555",
      podNamespace: "default",
      podName: "example",
      name: "main",
      attempt: 0,
    },
    specHash: "hash",
    image,
    command: [],
    args: [],
    env: [],
    workingDir: "",
    hostname: "example",
    hostPid: false,
    hostIpc: false,
    security: {
      supplementalGroups: [],
      runAsNonRoot: false,
      privileged: false,
      readOnlyRoot: false,
      noNewPrivileges: false,
      addCapabilities: [],
      dropCapabilities: [],
    },
    resources: {},
    mounts: [],
    sysctls: {},
    tty: false,
    stdin: false,
    stdinOnce: false,
    logPath: join(fixture.stateDir, "logs", "main", "0.log"),
    cgroupParent: fixture.cgroupParent,
    ...changes,
  };
}
