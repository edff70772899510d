/** The set of a cluster's processes, and the record of them that other commands read. */

import { rm } from "node:fs/promises";
import path from "node:path";
import { readTransient, writeAtomically } from "#cli/state.ts";
import type { StatePaths } from "#cli/state.ts";
import { Component } from "./component.ts";
import type { ComponentSpec, ComponentState } from "./component.ts";
import type { ProcessIdentity } from "./process-table.ts";
import { endProcess, identify, isAlive, parentOf, processesRunning } from "./process-table.ts";

const ORPHAN_GRACE_MS = 5_000;

export class Supervisor {
  readonly #paths: StatePaths;
  readonly #components = new Map<string, Component>();
  #writing: Promise<void> = Promise.resolve();

  constructor(paths: StatePaths) {
    this.#paths = paths;
  }

  /** Starts a component and resolves when it serves. */
  async start(spec: ComponentSpec, signal: AbortSignal): Promise<void> {
    const component = new Component(spec, () => {
      this.#record();
    });
    this.#components.set(spec.name, component);
    component.start();
    await component.waitReady(signal);
  }

  /** Stops all components at once; pods go on until their node is cleaned. */
  async stopAll(): Promise<void> {
    await Promise.all([...this.#components.values()].map((component) => component.stop()));
    await this.#writing;
  }

  #record(): void {
    const states = [...this.#components.values()].map((component) => component.state);
    const write = (): Promise<void> =>
      writeAtomically(this.#paths.componentsFile, JSON.stringify(states, null, 2));
    // The next change writes again; and stopping must not depend on a disk with room.
    this.#writing = this.#writing.then(write).catch((error: unknown) => {
      console.error(`cannot write ${this.#paths.componentsFile}: ${String(error)}`);
    });
  }
}

/** What the running supervisor last wrote about its processes. */
export async function recordedComponents(paths: StatePaths): Promise<ComponentState[]> {
  return (await readTransient<ComponentState[]>(paths.componentsFile)) ?? [];
}

/**
 * The running supervisor of a cluster; undefined when there is none. Should its record be lost, it
 * is the parent of the processes that it has started.
 */
export async function runningSupervisor(paths: StatePaths): Promise<ProcessIdentity | undefined> {
  const recorded = await readTransient<ProcessIdentity>(paths.supervisorFile);
  if (recorded !== undefined && (await isAlive(recorded))) return recorded;
  for (const component of await processesRunning((args) => isComponent(args, paths))) {
    const parent = await parentOf(component.pid);
    if (parent !== undefined && isSupervisor(parent.args)) return parent.identity;
  }
  return undefined;
}

function isSupervisor(args: readonly string[]): boolean {
  return args.some(
    (argument, position) =>
      argument === "up" && /(^|\/)(lateen(\.js)?|main\.ts)$/.test(args[position - 1] ?? ""),
  );
}

/** Makes this process the cluster's supervisor. */
export async function recordSupervisor(paths: StatePaths): Promise<void> {
  const identity = await identify(process.pid);
  await writeAtomically(paths.supervisorFile, JSON.stringify(identity));
}

/**
 * Ends processes that a supervisor which was killed has left running: those that it recorded, and
 * those that it had no time to record, known by the configuration that they were started with.
 */
export async function endOrphans(paths: StatePaths): Promise<void> {
  const recorded = (await recordedComponents(paths)).flatMap(({ process: identity }) =>
    identity === undefined ? [] : [identity],
  );
  const running = await processesRunning((args) => isComponent(args, paths));
  await Promise.all(
    [...recorded, ...running].map((identity) => endProcess(identity, ORPHAN_GRACE_MS)),
  );
  await rm(paths.componentsFile, { force: true });
}

/** Whether a command line is `… main.ts CONFIG` or `… -c BOOTSTRAP` with a file of this cluster. */
function isComponent(args: readonly string[], paths: StatePaths): boolean {
  return args.some((argument, position) => {
    const before = args[position - 1] ?? "";
    if (before.endsWith("/main.ts")) return path.dirname(argument) === paths.config;
    return before === "-c" && argument === path.join(paths.localhost, "bootstrap.yaml");
  });
}
