/** The attempts of a pod's containers that are still on this node, and their last words. */

import { open } from "node:fs/promises";
import type { Container, Pod } from "#cluster/api/generated/core-v1.ts";
import type { ContainerStatus } from "#cluster/runtime/container.ts";
import { readLog } from "#cluster/runtime/log-reader.ts";
import { terminationFile } from "./container-config.ts";
import type { PodContext } from "./pod-context.ts";
import { allContainers, podIdentity } from "./pod-parts.ts";

const MAX_MESSAGE_BYTES = 4096;
const MAX_LOG_MESSAGE_BYTES = 2048;
const MAX_LOG_MESSAGE_LINES = 80;
/** Attempts kept of each container: the present one and the one before, for its log and state. */
const KEPT_ATTEMPTS = 2;

export class ContainerHistory {
  readonly #context: PodContext;
  readonly #messages = new Map<string, string>();
  #attempts = new Map<string, ContainerStatus[]>();

  constructor(context: PodContext) {
    this.#context = context;
  }

  /** Looks at the runtime, reads last words of the newly ended, removes attempts of long ago. */
  async refresh(pod: Pod): Promise<void> {
    const { runtime } = this.#context;
    const byName = Map.groupBy(
      runtime.containers.ofPod(podIdentity(pod).uid),
      ({ identity }) => identity.name,
    );
    for (const [name, attempts] of byName) {
      attempts.sort((a, b) => b.identity.attempt - a.identity.attempt);
      for (const old of attempts.splice(KEPT_ATTEMPTS)) {
        await runtime.containers.removeContainer(old.id);
        this.#messages.delete(`${name}-${old.identity.attempt}`);
      }
    }
    this.#attempts = byName;
    for (const container of allContainers(pod)) await this.#readMessages(pod, container);
  }

  latest(name: string): ContainerStatus | undefined {
    return this.#attempts.get(name)?.[0];
  }

  previous(name: string): ContainerStatus | undefined {
    return this.#attempts.get(name)?.[1];
  }

  all(): ContainerStatus[] {
    return [...this.#attempts.values()].flat();
  }

  message(name: string, attempt: number): string | undefined {
    return this.#messages.get(`${name}-${attempt}`);
  }

  async #readMessages(pod: Pod, container: Container): Promise<void> {
    for (const status of this.#attempts.get(container.name) ?? []) {
      const { attempt } = status.identity;
      const key = `${container.name}-${attempt}`;
      if (status.state !== "exited" || this.#messages.has(key)) continue;
      const { uid } = podIdentity(pod);
      const file = terminationFile(this.#context.paths, uid, container.name, attempt);
      const written = await readStart(file);
      const fallback =
        written === "" &&
        container.terminationMessagePolicy === "FallbackToLogsOnError" &&
        status.exitCode !== 0;
      this.#messages.set(key, fallback ? await lastLogLines(status) : written);
    }
  }
}

async function readStart(file: string): Promise<string> {
  const handle = await open(file, "r").catch(() => undefined);
  if (handle === undefined) return "";
  try {
    const buffer = Buffer.alloc(MAX_MESSAGE_BYTES);
    const { bytesRead } = await handle.read(buffer, 0, MAX_MESSAGE_BYTES, 0);
    return buffer.toString("utf8", 0, bytesRead);
  } finally {
    await handle.close();
  }
}

async function lastLogLines(status: ContainerStatus): Promise<string> {
  let text = "";
  const lines = readLog(status.logPath, {
    follow: false,
    timestamps: false,
    tailLines: MAX_LOG_MESSAGE_LINES,
    signal: new AbortController().signal,
    isRunning: () => false,
  });
  for await (const line of lines)
    text = (text + line.toString("utf8")).slice(-MAX_LOG_MESSAGE_BYTES);
  return text;
}
