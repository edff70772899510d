/** Pilot alone on a cluster that is faked: how long until the last of many proxies has a change. */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { createInterface } from "node:readline";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { ENDPOINTS, VIRTUAL_HOST } from "#pilot/cache/type-url.ts";
import { FakeApi } from "./fake-api.ts";
import { LoadClient } from "./load-client.ts";
import {
  type WorldSize,
  endpointSlice,
  meshWorld,
  sidecarNodeOf,
  virtualService,
} from "./mesh-world.ts";
import type { Row } from "./report.ts";
import { summarize } from "./report.ts";

/** Services × endpoints · proxies. */
export const WORLDS: Readonly<Record<string, WorldSize>> = {
  "100x4x50": { services: 100, endpoints: 4, proxies: 50 },
  "1000x4x100": { services: 1000, endpoints: 4, proxies: 100 },
  "5000x4x50": { services: 5000, endpoints: 4, proxies: 50 },
  "1000x10x500": { services: 1000, endpoints: 10, proxies: 500 },
};

const CHANGES = 20;
const PAUSE_MS = 100;
const BOUND_MS = 120_000;
const LATEEN = path.join(import.meta.dirname, "..", "..", "bin", "lateen.js");

/** One world: connecting all proxies, changes of a weight, endpoints that come and go, memory. */
export async function measureDiscovery(size: WorldSize): Promise<Row[]> {
  const api = new FakeApi();
  for (const object of meshWorld(size)) api.put(object);
  const folder = await mkdtemp(path.join(tmpdir(), "lateen-bench-"));
  const kubeconfig = path.join(folder, "kubeconfig");
  await writeFile(kubeconfig, JSON.stringify(kubeconfigOf(await api.start())));
  const args = ["pilot", "--kubeconfig", kubeconfig, "--grpc", "127.0.0.1:0", "--insecure"];
  const pilot = spawn(process.execPath, [LATEEN, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  const proxies = new Proxies();
  try {
    const port = await readyPort(pilot);
    const pid = await serverPid(pilot);
    const connected = await costOf(pid, () => proxies.connect(port, size));
    const weights = await costOf(pid, () =>
      proxies.change(VIRTUAL_HOST, (at) => api.put(virtualService(0, (at % 10) * 10))),
    );
    const endpoints = await costOf(pid, () =>
      proxies.change(ENDPOINTS, (at) => api.put(endpointSlice(0, size.endpoints + (at % 2)))),
    );
    const { peak } = await memoryOf(pid);
    return [
      {
        title: "connect → the last proxy has all",
        value: `${(connected.result / 1000).toFixed(1)} s, ${(connected.cpuMs / 1000).toFixed(1)} s CPU`,
      },
      { title: "weight → the last proxy", value: changeText(weights) },
      { title: "endpoint → the last proxy", value: changeText(endpoints) },
      { title: "resident memory, peak", value: `${peak} MB` },
    ];
  } finally {
    proxies.close();
    pilot.kill("SIGTERM");
    if (pilot.exitCode === null) await once(pilot, "exit");
    api.close();
    await rm(folder, { recursive: true, force: true });
  }
}

/** All proxies of a world, and waiting for all of them. */
class Proxies {
  #clients: LoadClient[] = [];
  #check: () => void = () => undefined;

  /** Milliseconds until the last one is fully configured. */
  async connect(port: number, { proxies, services }: WorldSize): Promise<number> {
    const begun = performance.now();
    for (let index = 0; index < proxies; index++) {
      this.#clients.push(new LoadClient(port, sidecarNodeOf(index), () => this.#check()));
    }
    // One more virtual host takes what no service is called by.
    await this.#until((client) => client.held(VIRTUAL_HOST) > services);
    return performance.now() - begun;
  }

  /** Milliseconds of each change until the last one has it. */
  async change(type: string, make: (at: number) => void): Promise<number[]> {
    const durations: number[] = [];
    for (let at = 1; at <= CHANGES; at++) {
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
      const before = new Map(this.#clients.map((client) => [client, client.responses(type)]));
      const begun = performance.now();
      const done = this.#until((client) => client.responses(type) > (before.get(client) ?? 0));
      make(at);
      await done;
      durations.push(performance.now() - begun);
    }
    return durations;
  }

  close(): void {
    for (const client of this.#clients) client.close();
  }

  /** Looks only at those that have not been there yet. */
  #until(has: (client: LoadClient) => boolean): Promise<void> {
    let waiting = this.#clients;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new Error(`${waiting.length} proxies did not have it in ${BOUND_MS} ms`)),
        BOUND_MS,
      );
      this.#check = () => {
        while (waiting.length > 0 && has(waiting.at(-1)!)) waiting = waiting.slice(0, -1);
        if (waiting.length > 0) return;
        clearTimeout(timer);
        this.#check = () => undefined;
        resolve();
      };
    });
  }
}

interface Measured<T> {
  readonly result: T;
  readonly cpuMs: number;
}

async function costOf<T>(pid: number, work: () => Promise<T>): Promise<Measured<T>> {
  const before = await cpuMsOf(pid);
  const result = await work();
  return { result, cpuMs: (await cpuMsOf(pid)) - before };
}

function changeText({ result, cpuMs }: Measured<number[]>): string {
  return `${summarize(result)}, ${(cpuMs / CHANGES).toFixed(0)} ms CPU`;
}

function kubeconfigOf(server: string): object {
  return {
    apiVersion: "v1",
    kind: "Config",
    "current-context": "bench",
    contexts: [{ name: "bench", context: { cluster: "bench", user: "bench" } }],
    clusters: [{ name: "bench", cluster: { server } }],
    users: [{ name: "bench", user: {} }],
  };
}

async function readyPort(pilot: ChildProcess): Promise<number> {
  if (pilot.stdout === null) throw new Error("pilot has no output");
  let said = "";
  pilot.stderr?.on("data", (chunk: Buffer) => {
    said = (said + chunk.toString()).slice(-2000);
  });
  for await (const line of createInterface({ input: pilot.stdout })) {
    const port = /^READY .*:(\d+)$/.exec(line)?.[1];
    if (port !== undefined) return Number(port);
  }
  throw new Error(`pilot ended before it was ready: ${said}`);
}

/** The command may have started the server on another Node as its child. */
async function serverPid({ pid = 0 }: ChildProcess): Promise<number> {
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, "utf8").catch(() => "");
  return Number(children.trim().split(" ")[0]) || pid;
}

/** Of clock ticks of 10 ms. */
async function cpuMsOf(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

async function memoryOf(pid: number): Promise<{ peak: string }> {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  return { peak: (Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) / 1000).toFixed(0) };
}
