import { describe, expect, test } from "@jest/globals";
import type { ContainerConfig } from "./container.ts";
import { type SpecInput, buildOciSpec } from "./oci-spec.ts";

const CONFIG: ContainerConfig = {
  identity: { podUid: "uid", podNamespace: "default", podName: "pod", name: "main", attempt: 0 },
  specHash: "",
  image: {
    reference: "example.org/image:1",
    ref: "sha256:0",
    root: { kind: "layers", layers: ["sha256:1"] },
    config: { entrypoint: ["/main"], cmd: [], env: {}, user: "", workingDir: "" },
  } as unknown as ContainerConfig["image"],
  command: [],
  args: [],
  env: [],
  workingDir: "",
  hostname: "pod",
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
  resources: { memoryLimitBytes: 4096 },
  mounts: [],
  sysctls: {},
  tty: false,
  stdin: false,
  stdinOnce: false,
  logPath: "/log",
  cgroupParent: "lateen/node-1/poduid",
};

function linuxOf(changes: Partial<SpecInput>): {
  linux: Record<string, unknown>;
  mountTypes: string[];
} {
  const spec = buildOciSpec({
    config: CONFIG,
    user: { uid: 0, gid: 0, groups: [], home: "/root" },
    rootPath: "/root",
    rootMounts: [],
    cgroupsPath: "/lateen/node-1/poduid/id",
    cgroupV2: true,
    own: { capabilities: new Set(), lowestOomScoreAdj: -1000 },
    ...changes,
  });
  return { linux: spec.linux, mountTypes: spec.mounts.map(({ type }) => type) };
}

describe("control groups", () => {
  test("version 2: a container sees its own group, and is killed as a whole", () => {
    const { linux, mountTypes } = linuxOf({});
    expect(mountTypes).toContain("cgroup");
    expect(linux.namespaces).toContainEqual({ type: "cgroup" });
    expect(linux.maskedPaths).not.toContain("/sys/fs/cgroup");
    expect(linux.resources).toMatchObject({
      memory: { limit: 4096, swap: 4096 },
      unified: { "memory.oom.group": "1" },
    });
  });

  test("version 2: a privileged container sees all groups", () => {
    const security = { ...CONFIG.security, privileged: true };
    const { linux, mountTypes } = linuxOf({ config: { ...CONFIG, security } });
    expect(mountTypes).toContain("cgroup");
    expect(linux.namespaces).not.toContainEqual({ type: "cgroup" });
  });

  test("version 1: a container sees no groups", () => {
    const { linux, mountTypes } = linuxOf({ cgroupV2: false });
    expect(mountTypes).not.toContain("cgroup");
    expect(linux.namespaces).not.toContainEqual({ type: "cgroup" });
    expect(linux.maskedPaths).toContain("/sys/fs/cgroup");
    expect(linux.resources).not.toHaveProperty("unified");
  });
});
