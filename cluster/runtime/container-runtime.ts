/** Containers of one node: crun creates them, a conmon each watches them, files tell about them. */

import { randomBytes } from "node:crypto";
import { mkdir, readdir, rm, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { type CgroupHost, cgroupProcesses } from "./cgroup.ts";
import { type ContainerConfig, ContainerError, type ContainerStatus } from "./container.ts";
import {
  type ContainerRecord,
  isContainerId,
  readRecord,
  statusOf,
  writeRecord,
} from "./container-record.ts";
import { type ContainerExit, ExitWatch } from "./exit-watch.ts";
import type { HostView } from "./host-view.ts";
import { readUserFiles, resolveUser } from "./image-user.ts";
import { launch } from "./launch.ts";
import type { OciRuntime } from "./oci-runtime.ts";
import { buildOciSpec } from "./oci-spec.ts";
import { readOwnPrivileges } from "./own-privileges.ts";
import { isAlive, processStartTime, sendSignal } from "./process.ts";

export interface ContainerRuntimeOptions {
  /** `containers/`, `exits/` and `oci/` are made in it. */
  nodeDir: string;
  layersDir: string;
  oci: OciRuntime;
  cgroups: CgroupHost;
  hostView: HostView;
  /** Called after every change of a container's state, with its pod's uid. */
  onChange: (podUid: string) => void;
  onProblem: (message: string) => void;
}

const MAX_LOG_BYTES = 100 << 20;
const KILL_WAIT_MS = 10_000;

export class ContainerRuntime {
  readonly #options: ContainerRuntimeOptions;
  readonly #containersDir: string;
  readonly #exitsDir: string;
  readonly #records = new Map<string, ContainerRecord>();
  readonly #waiters = new Map<string, Set<() => void>>();
  readonly #exits: ExitWatch;

  constructor(options: ContainerRuntimeOptions) {
    this.#options = options;
    this.#containersDir = join(options.nodeDir, "containers");
    this.#exitsDir = join(options.nodeDir, "exits");
    this.#exits = new ExitWatch({
      dir: this.#exitsDir,
      onExit: (exit) => this.#exited(exit),
      onProblem: options.onProblem,
    });
  }

  /** Takes over the containers of an earlier agent; unreadable and half-made ones are removed. */
  async start(): Promise<void> {
    await mkdir(this.#containersDir, { recursive: true, mode: 0o700 });
    await mkdir(this.#exitsDir, { recursive: true, mode: 0o700 });
    for (const name of await readdir(this.#containersDir)) await this.#adopt(name);
    this.#exits.start();
    await this.checkAlive();
  }

  stop(): void {
    this.#exits.stop();
  }

  get(id: string): ContainerStatus | undefined {
    const record = this.#records.get(id);
    return record === undefined ? undefined : statusOf(record);
  }

  list(): ContainerStatus[] {
    return [...this.#records.values()].map(statusOf);
  }

  /** All attempts of all containers of a pod. */
  ofPod(podUid: string): ContainerStatus[] {
    return this.list().filter(({ identity }) => identity.podUid === podUid);
  }

  /** Folder with the container's conmon files (`bundle/attach`, `bundle/ctl`). */
  containerDir(id: string): string {
    return join(this.#containersDir, id);
  }

  cgroupPath(id: string): string | undefined {
    return this.#records.get(id)?.cgroupPath;
  }

  /** Makes the container; its process waits for `startContainer`. Rejects with ContainerError. */
  async createContainer(config: ContainerConfig): Promise<string> {
    const id = randomBytes(32).toString("hex");
    const dir = this.containerDir(id);
    const record: ContainerRecord = {
      id,
      identity: config.identity,
      specHash: config.specHash,
      imageReference: config.image.reference,
      imageRef: config.image.ref,
      state: "created",
      createdAt: new Date().toISOString(),
      logPath: config.logPath,
      tty: config.tty,
      stdin: config.stdin,
      stopSignal: config.stopSignal ?? config.image.config.stopSignal,
      cgroupPath: join("/", config.cgroupParent, id.slice(0, 32)),
      hostPid: config.hostPid,
    };
    try {
      await this.#writeBundle(config, record);
      const line = this.#options.oci.launchLine({
        ...this.#rootOf(config),
        dir,
        id,
        conmonArgs: this.#conmonArgs(config, id),
      });
      record.pid = await launch(line, dir, this.#options.layersDir);
      record.pidStartTime = await processStartTime(record.pid);
      this.#records.set(id, record);
      return id;
    } catch (error) {
      await this.#discard(id, record.cgroupPath);
      if (error instanceof ContainerError) throw error;
      const message = (error as Error).message;
      throw new ContainerError("CreateContainerError", message, { cause: error });
    }
  }

  /** Lets the container's process run. */
  async startContainer(id: string): Promise<void> {
    const record = this.#known(id);
    // Taken before: a short process may have ended when `start` answers.
    const startedAt = new Date().toISOString();
    try {
      await this.#options.oci.start(id);
    } catch (error) {
      const message = (error as Error).message;
      throw new ContainerError("RunContainerError", message, { cause: error });
    }
    record.startedAt = startedAt;
    // An exit may have been seen while `start` was still answering.
    if (record.state === "created") record.state = "running";
    await writeRecord(this.containerDir(id), record);
    this.#options.onChange(record.identity.podUid);
  }

  /**
   * Sends the stop signal, then SIGKILL when the grace is over or `hurry` aborts; resolves when the
   * container has exited.
   */
  async stopContainer(
    id: string,
    options: { graceMs: number; signal?: NodeJS.Signals; hurry?: AbortSignal },
  ): Promise<void> {
    const record = this.#records.get(id);
    if (record === undefined || record.state === "exited") return;
    if (options.graceMs > 0) {
      const signal = options.signal ?? record.stopSignal ?? "SIGTERM";
      await this.#signal(record, signal as NodeJS.Signals);
      if (await this.#waitForExit(record, options.graceMs, options.hurry)) return;
    }
    await this.#signal(record, "SIGKILL");
    if (await this.#waitForExit(record, KILL_WAIT_MS)) return;
    await this.#options.oci.delete(id);
    await this.#lost(record);
  }

  /** Removes a container that doesn't run, with its files (its log stays). */
  async removeContainer(id: string): Promise<void> {
    const record = this.#records.get(id);
    if (record === undefined) return;
    if (record.state === "running") await this.stopContainer(id, { graceMs: 0 });
    this.#records.delete(id);
    await this.#discard(id, record.cgroupPath);
  }

  /** Finds containers whose process and monitor have gone without a word. */
  async checkAlive(): Promise<void> {
    await this.#exits.scan();
    for (const record of this.#records.values()) {
      if (record.state !== "running" || record.pid === undefined) continue;
      if (await isAlive(record.pid, record.pidStartTime ?? "")) continue;
      // conmon writes the exit file some milliseconds after the process's end.
      if (await this.#waitForExit(record, 2000)) continue;
      await this.#lost(record);
    }
  }

  #known(id: string): ContainerRecord {
    const record = this.#records.get(id);
    if (record === undefined) throw new Error(`container ${id} is not known`);
    return record;
  }

  #rootOf({ image }: ContainerConfig): { lower: readonly string[]; upperArchive?: string } {
    if (image.root.kind === "layers") return { lower: image.root.layers };
    return { lower: ["/"], upperArchive: this.#options.hostView.upperArchive };
  }

  async #writeBundle(config: ContainerConfig, record: ContainerRecord): Promise<void> {
    const { hostView, layersDir, cgroups } = this.#options;
    const { root } = config.image;
    const dir = this.containerDir(record.id);
    await mkdir(dir, { mode: 0o700 });
    const names = ["bundle", "root", "scratch", "persist"];
    await Promise.all([
      ...names.map((name) => mkdir(join(dir, name), { mode: 0o755 })),
      mkdir(dirname(config.logPath), { recursive: true, mode: 0o755 }),
      mkdir(layersDir, { recursive: true }),
    ]);
    const folders = root.kind === "host" ? ["/"] : root.layers.map((name) => join(layersDir, name));
    const { uid, gid } = config.security;
    const user = resolveUser(await readUserFiles(folders), config.image.config.user, { uid, gid });
    if (!user.ok) throw new ContainerError("CreateContainerError", user.message);
    const shown = hostView.submounts.map((path) => ({ source: path, target: path }));
    const spec = buildOciSpec({
      config,
      user: user.user,
      rootPath: join(dir, "root"),
      rootMounts: root.kind === "host" ? [...shown, ...root.mounts] : [],
      cgroupsPath: record.cgroupPath,
      cgroupV2: cgroups.version === 2,
      own: await readOwnPrivileges(),
    });
    await Promise.all([
      writeFile(join(dir, "bundle", "config.json"), JSON.stringify(spec), { mode: 0o600 }),
      writeRecord(dir, record),
    ]);
  }

  #conmonArgs(config: ContainerConfig, id: string): string[] {
    const dir = this.containerDir(id);
    return [
      `--cid=${id}`,
      `--cuuid=${id}`,
      `--name=${config.identity.name}`,
      `--bundle=${join(dir, "bundle")}`,
      `--container-pidfile=${join(dir, "pid")}`,
      `--conmon-pidfile=${join(dir, "conmon.pid")}`,
      `--exit-dir=${this.#exitsDir}`,
      `--persist-dir=${join(dir, "persist")}`,
      `--log-path=k8s-file:${config.logPath}`,
      `--log-size-max=${MAX_LOG_BYTES}`,
      "--log-level=error",
      "--full-attach",
      ...(config.tty ? ["--terminal"] : []),
      ...(config.stdin ? ["--stdin"] : []),
      ...(config.stdin && !config.stdinOnce ? ["--leave-stdin-open"] : []),
    ];
  }

  async #adopt(name: string): Promise<void> {
    const dir = join(this.#containersDir, name);
    if (!isContainerId(name)) {
      this.#options.onProblem(`${dir} is no container's folder; it is left alone`);
      return;
    }
    try {
      const record = await readRecord(dir);
      if (record.state === "created") {
        await this.#discard(name, record.cgroupPath);
      } else {
        this.#records.set(name, record);
      }
    } catch (error) {
      const message = (error as Error).message;
      this.#options.onProblem(`container ${name} can't be taken over and is removed: ${message}`);
      await this.#discard(name, undefined);
    }
  }

  async #exited(exit: ContainerExit): Promise<void> {
    const file = join(this.#exitsDir, exit.id);
    const record = this.#records.get(exit.id);
    // The file of a container that is being created belongs to whoever creates it.
    if (record === undefined || record.state === "exited") {
      if (record !== undefined) await rm(file, { force: true });
      return;
    }
    const dir = this.containerDir(exit.id);
    const oom = (await stat(join(dir, "persist", "oom")).catch(() => undefined)) !== undefined;
    const failed = oom && exit.exitCode === 137 ? "OOMKilled" : "Error";
    await this.#ended(record, {
      exitCode: exit.exitCode,
      finishedAt: exit.finishedAt,
      reason: exit.exitCode === 0 ? "Completed" : failed,
    });
    await rm(file, { force: true });
  }

  async #lost(record: ContainerRecord): Promise<void> {
    await this.#ended(record, {
      exitCode: 137,
      finishedAt: new Date().toISOString(),
      reason: "ContainerStatusUnknown",
      message: "The container could not be located",
    });
  }

  async #ended(
    record: ContainerRecord,
    end: Pick<ContainerRecord, "exitCode" | "finishedAt" | "reason" | "message">,
  ): Promise<void> {
    Object.assign(record, end, { state: "exited" });
    if (record.hostPid) await this.#killGroup(record.cgroupPath);
    await writeRecord(this.containerDir(record.id), record).catch((error: Error) =>
      this.#options.onProblem(`container ${record.id}: its end can't be noted: ${error.message}`),
    );
    for (const wake of this.#waiters.get(record.id) ?? []) wake();
    this.#options.onChange(record.identity.podUid);
  }

  async #signal(record: ContainerRecord, signal: NodeJS.Signals): Promise<void> {
    if (record.pid === undefined || record.state === "exited") return;
    if (await isAlive(record.pid, record.pidStartTime ?? "")) sendSignal(record.pid, signal);
  }

  /** Whether the container has exited before the time was over. */
  async #waitForExit(
    record: ContainerRecord,
    timeoutMs: number,
    hurry?: AbortSignal,
  ): Promise<boolean> {
    if (record.state === "exited") return true;
    if (hurry?.aborted === true) return false;
    const waiters = this.#waiters.get(record.id) ?? new Set();
    this.#waiters.set(record.id, waiters);
    await new Promise<void>((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        hurry?.removeEventListener("abort", done);
        waiters.delete(done);
        if (waiters.size === 0) this.#waiters.delete(record.id);
        resolve();
      };
      const timer = setTimeout(done, timeoutMs);
      hurry?.addEventListener("abort", done, { once: true });
      waiters.add(done);
    });
    return this.get(record.id)?.state === "exited";
  }

  async #killGroup(cgroupPath: string): Promise<void> {
    for (const pid of await cgroupProcesses(this.#options.cgroups, cgroupPath)) {
      sendSignal(pid, "SIGKILL");
    }
  }

  /** Ends whatever there is of a container and removes its folder; errors are reported only. */
  async #discard(id: string, cgroupPath: string | undefined): Promise<void> {
    try {
      const known = join(this.#options.nodeDir, "oci", id);
      if ((await stat(known).catch(() => undefined)) !== undefined) {
        await this.#options.oci.delete(id);
      }
      if (cgroupPath !== undefined) await this.#killGroup(cgroupPath);
      await rm(join(this.#exitsDir, id), { force: true });
      await rm(this.containerDir(id), { recursive: true, force: true });
    } catch (error) {
      this.#options.onProblem(`container ${id} can't be removed: ${(error as Error).message}`);
    }
  }
}
