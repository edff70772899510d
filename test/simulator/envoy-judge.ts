/** The real Envoy's decisions on calls in translated worlds, one world after another. */

import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import net from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { waitUntil } from "#cluster/client/testing/wait-until.ts";
import type { EnvoyResource } from "#pilot/envoy/build.ts";
import type { Call } from "#pilot/explain/simulate.ts";
import { get } from "#test/features/envoy-process.ts";
import { type Answerer, indexOf, startAnswerer } from "./answerer.ts";
import { type Answer, exchange } from "./exchange.ts";
import type { Decision } from "./decision.ts";
import { type Places, envoyFiles } from "./envoy-files.ts";

export class EnvoyJudge {
  readonly #child: ChildProcess;
  readonly #answerer: Answerer;
  readonly #places: Places;
  #clusters: readonly string[] = [];
  #worlds = 0;
  #output = "";
  #heard = 0;

  private constructor(child: ChildProcess, answerer: Answerer, places: Places) {
    this.#child = child;
    this.#answerer = answerer;
    this.#places = places;
    child.stderr?.on("data", (chunk: Buffer) => (this.#output += chunk.toString()));
  }

  static async start(binary: string): Promise<EnvoyJudge> {
    const answerer = await startAnswerer();
    const folder = mkdtempSync(path.join(tmpdir(), "lateen-judge-"));
    const [entryPort, worldPort] = [await freePort(), await freePort()];
    const places = { entryPort, worldPort, answererPort: answerer.port, folder };
    for (const type of ["lds", "cds"]) writeList(places, type, "0", []);
    const file = path.join(folder, "bootstrap.json");
    writeFileSync(file, JSON.stringify(bootstrap(folder)));
    const options = ["--concurrency", "1", "--disable-hot-restart", "--drain-time-s", "1"];
    const child = spawn(binary, ["-c", file, ...options, "-l", "warning"], {
      stdio: ["ignore", "ignore", "pipe"],
    });
    return new EnvoyJudge(child, answerer, places);
  }

  /** What Envoy has refused of this world. */
  get refused(): string[] {
    return this.#output
      .slice(this.#heard)
      .split(/\n(?=\[2)/)
      .filter((entry) => entry.includes("rejected"));
  }

  /** Serves another world, from when this resolves. */
  async serve(resources: readonly EnvoyResource[]): Promise<void> {
    const world = String((this.#worlds += 1));
    this.#heard = this.#output.length;
    const { listeners, clusters, secrets } = envoyFiles(resources, world, this.#places);
    this.#clusters = clusters.map((cluster) => (cluster as { name: string }).name);
    for (const [file, list] of secrets) {
      writeFileSync(file, JSON.stringify({ versionInfo: world, resources: list }));
    }
    writeList(this.#places, "cds", world, typed("cluster.v3.Cluster", clusters));
    // Only then listeners, whose effect therefore tells that the clusters are there.
    await this.#until(`clusters of world ${world}`, async () =>
      (await this.#clustersServed()).includes(`"${world}"`),
    );
    writeList(this.#places, "lds", world, typed("listener.v3.Listener", listeners));
    const served = (): Promise<string> => textOf({ port: this.#places.worldPort });
    await this.#until(`world ${world}`, async () => (await served()) === world);
  }

  /** The version of the clusters, as a line of Envoy's statistics. */
  #clustersServed(): Promise<string> {
    const page = "/stats?filter=cluster_manager.cds.version_text";
    return textOf({ socketPath: adminOf(this.#places.folder), path: page });
  }

  /** Failed questions are asked again: it may not listen yet. */
  async #until(what: string, holds: () => Promise<boolean>): Promise<void> {
    await waitUntil(what, () => holds().catch(() => false), 20_000).catch((cause: unknown) => {
      throw new Error(`${what}: ${this.#output}`, { cause });
    });
  }

  async decide(call: Call): Promise<Decision> {
    const answer = await exchange(this.#places.entryPort, call);
    const refuses = answer.kind === "http" && answer.status === 400;
    const mayBeRefused = call.protocol === "tcp" || call.tls === true;
    if (refuses && mayBeRefused && !answer.headers.has("x-address")) {
      return { kind: "protocol error" };
    }
    return this.#decisionOf(answer);
  }

  async stop(): Promise<void> {
    const ended = new Promise((resolve) => this.#child.once("exit", resolve));
    this.#child.kill("SIGKILL");
    await ended;
    this.#answerer.close();
    rmSync(this.#places.folder, { recursive: true });
  }

  #decisionOf(answer: Answer): Decision {
    if (answer.kind === "closed") return answer;
    if (answer.kind === "bytes") {
      const address = /^address (\S+)/.exec(answer.text)?.[1];
      if (address === undefined) return { kind: "protocol error" };
      return { kind: "connection", cluster: this.#clusters[indexOf(address)] ?? "" };
    }
    const { status, headers } = answer;
    const address = headers.get("x-address");
    const virtualHost = headers.get("x-virtual-host");
    if (address === undefined) {
      const location = headers.get("location");
      return {
        kind: "answer",
        status,
        ...(virtualHost === undefined
          ? {}
          : { virtualHost, route: nameOf(headers.get("x-route")) }),
        ...(location === undefined ? {} : { location }),
      };
    }
    return {
      kind: virtualHost === undefined ? "connection" : "request",
      cluster: this.#clusters[indexOf(address)] ?? "",
      ...(virtualHost === undefined
        ? {}
        : {
            path: headers.get("x-path") ?? "",
            authority: headers.get("x-authority") ?? "",
            virtualHost,
            route: nameOf(headers.get("x-route")),
          }),
    } as Decision;
  }
}

/** Envoy writes `-` for nothing. */
function nameOf(text = ""): string {
  return text === "-" ? "" : text;
}

function typed(type: string, list: readonly object[]): object[] {
  return list.map((one) => ({ "@type": `type.googleapis.com/envoy.config.${type}`, ...one }));
}

/** Moved into its place whole, because Envoy reads it as soon as it changes. */
function writeList({ folder }: Places, type: string, version: string, resources: object[]): void {
  const file = path.join(folder, `${type}.json`);
  writeFileSync(`${file}.new`, JSON.stringify({ versionInfo: version, resources }));
  renameSync(`${file}.new`, file);
}

function bootstrap(folder: string): object {
  const source = (type: string): object => ({
    resourceApiVersion: "V3",
    pathConfigSource: { path: path.join(folder, `${type}.json`) },
  });
  return {
    node: { id: "judge", cluster: "judge" },
    admin: { address: { pipe: { path: adminOf(folder) } } },
    dynamicResources: { ldsConfig: source("lds"), cdsConfig: source("cds") },
  };
}

function adminOf(folder: string): string {
  return path.join(folder, "admin.sock");
}

async function textOf(
  at: { port: number } | { socketPath: string; path: string },
): Promise<string> {
  return (await get({ host: "127.0.0.1", ...at })).body;
}

async function freePort(): Promise<number> {
  const server = net.createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as net.AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
