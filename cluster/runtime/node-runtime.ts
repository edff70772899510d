/** Puts the runtime of a node together: tools, cgroups, images and containers. */

import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { type CgroupHost, detectCgroups } from "./cgroup.ts";
import { ContainerRuntime } from "./container-runtime.ts";
import type { ExecTarget } from "./exec.ts";
import { prepareHostView } from "./host-view.ts";
import { ImageStore } from "./image-store.ts";
import { ImagesConfigFile } from "./images-config.ts";
import { OciRuntime, type OciTools, findTools } from "./oci-runtime.ts";

export interface NodeRuntimeOptions {
  /** The cluster's state folder; hidden from host images. */
  stateDir: string;
  /** The node's folder in it. */
  nodeDir: string;
  imagesFile: string;
  onChange: (podUid: string) => void;
  onProblem: (message: string) => void;
}

export interface NodeRuntime {
  tools: OciTools;
  cgroups: CgroupHost;
  oci: OciRuntime;
  images: ImageStore;
  containers: ContainerRuntime;
  execTarget(id: string): ExecTarget;
}

/** Characters that overlayfs reads as separators in its options, or that tools mangle. */
const UNSAFE_PATH = /[:,\\\s]/;

/**
 * Finds the tools and takes over the containers that run; throws when a tool or the cgroup file
 * system is missing, saying how to mend it.
 */
export async function startNodeRuntime(options: NodeRuntimeOptions): Promise<NodeRuntime> {
  const { stateDir, nodeDir, onChange, onProblem } = options;
  if (UNSAFE_PATH.test(nodeDir)) {
    throw new Error(`state folder ${stateDir}: the path must not contain space, ":", "," or "\\"`);
  }
  const [tools, cgroups] = await Promise.all([findTools(), detectCgroups()]);
  await mkdir(join(nodeDir, "oci"), { recursive: true, mode: 0o700 });
  await mkdir(join(nodeDir, "views"), { recursive: true, mode: 0o755 });
  const hostView = await prepareHostView(join(nodeDir, "views"), [stateDir]);
  const oci = new OciRuntime(tools, cgroups, join(nodeDir, "oci"));
  const config = new ImagesConfigFile(options.imagesFile, onProblem);
  const images = new ImageStore({
    imagesDir: join(stateDir, "images"),
    config: () => config.current(),
    onProblem,
  });
  const { layersDir } = images;
  const folders = { nodeDir, layersDir };
  const containers = new ContainerRuntime({
    ...folders,
    oci,
    cgroups,
    hostView,
    onChange,
    onProblem,
  });
  await containers.start();
  return {
    tools,
    cgroups,
    oci,
    images,
    containers,
    execTarget: (id) => ({ oci, id, containerDir: containers.containerDir(id) }),
  };
}
