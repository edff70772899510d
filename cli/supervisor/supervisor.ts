/** The set of a cluster's processes, and the record of them that other commands read. */

import { readJson, writeAtomically } from "#cli/state.ts";
import type { StatePaths } from "#cli/state.ts";
import { Component } from "./component.ts";
import type { ComponentSpec, ComponentState } from "./component.ts";
import type { ProcessIdentity } from "./process-table.ts";
import { endProcess, identify, isAlive } from "./process-table.ts";

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
    this.#writing = this.#writing.then(write, write);
    // A failed write shows up in `stopAll`; the next change writes again.
    this.#writing.catch((error: unknown) => {
      console.error(`cannot write ${this.#paths.componentsFile}: ${String(error)}`);
    });
  }
}

/** What the running supervisor last wrote about its processes. */
export async function recordedComponents(paths: StatePaths): Promise<ComponentState[]> {
  return (await readJson<ComponentState[]>(paths.componentsFile)) ?? [];
}

/** The running supervisor of a cluster; undefined when there is none. */
export async function runningSupervisor(paths: StatePaths): Promise<ProcessIdentity | undefined> {
  const recorded = await readJson<ProcessIdentity>(paths.supervisorFile);
  return recorded !== undefined && (await isAlive(recorded)) ? recorded : undefined;
}

/** Makes this process the cluster's supervisor. */
export async function recordSupervisor(paths: StatePaths): Promise<void> {
  const identity = await identify(process.pid);
  await writeAtomically(paths.supervisorFile, JSON.stringify(identity));
}

/** Ends processes that a supervisor which was killed has left running. */
export async function endOrphans(paths: StatePaths): Promise<void> {
  const states = await recordedComponents(paths);
  await Promise.all(
    states.map(async (state) => {
      if (state.process !== undefined) await endProcess(state.process, ORPHAN_GRACE_MS);
    }),
  );
  await writeAtomically(paths.componentsFile, "[]");
}
