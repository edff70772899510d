/** A real cluster for a suite: `lateen up --detach` in a state folder of its own. */

import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import type { ClusterStatus } from "#cli/commands/status.ts";
import { findProgram } from "#cli/setup/tools.ts";

/** Of this checkout. */
export const ROOT = path.dirname(path.dirname(import.meta.dirname));
const COMMAND_BOUND_MS = 120_000;

export interface CommandResult {
  code: number;
  stdout: string;
  stderr: string;
}

/** A running cluster and its tools; `down` ends it and removes its state. */
export interface TestCluster {
  name: string;
  home: string;
  kubeconfig: string;
  /** What `lateen up` printed. */
  upOutput: string;
  status(): Promise<ClusterStatus>;
  /** Runs the user's kubectl against the cluster; `input` goes to its stdin. */
  kubectl(
    args: readonly string[],
    input?: string,
    env?: Readonly<Record<string, string>>,
  ): Promise<CommandResult>;
  /** Like kubectl, but rejects with its output unless it exits with 0. */
  kubectlOk(args: readonly string[], input?: string): Promise<string>;
  down(): Promise<void>;
}

/** Absolute path of the user's kubectl; undefined means that its tests are skipped. */
export const KUBECTL = await findProgram("kubectl");

/** Runs a program to its end with a bound; never through a shell. */
export async function runCommand(
  program: string,
  args: readonly string[],
  options: { input?: string; env?: NodeJS.ProcessEnv; uid?: number } = {},
): Promise<CommandResult> {
  const child = spawn(program, args, {
    cwd: ROOT,
    env: options.env ?? process.env,
    ...(options.uid === undefined ? {} : { uid: options.uid, gid: options.uid }),
    stdio: ["pipe", "pipe", "pipe"],
  });
  const bound = setTimeout(() => child.kill("SIGKILL"), COMMAND_BOUND_MS);
  // A program that doesn't read its input closes the pipe.
  child.stdin.on("error", () => undefined);
  child.stdin.end(options.input ?? "");
  const [stdout, stderr] = await Promise.all([textOf(child.stdout), textOf(child.stderr)]);
  const code = await new Promise<number>((resolve, reject) => {
    child.on("error", reject);
    if (child.exitCode !== null) resolve(child.exitCode);
    child.on("close", (exitCode) => {
      resolve(exitCode ?? 137);
    });
  });
  clearTimeout(bound);
  return { code, stdout, stderr };
}

/** The `lateen` command of this checkout. */
export function lateen(
  args: readonly string[],
  options: { env?: NodeJS.ProcessEnv; uid?: number; input?: string } = {},
): Promise<CommandResult> {
  return runCommand(process.execPath, [path.join(ROOT, "bin", "lateen.js"), ...args], options);
}

/** Brings a cluster up; rejects with everything it printed when it does not come. */
export async function startCluster(name: string, args: readonly string[]): Promise<TestCluster> {
  const home = await mkdtemp(path.join(tmpdir(), "lateen-e2e-"));
  const where = ["--name", name, "--home", home];
  const up = await lateen(["up", "--detach", ...where, ...args]);
  if (up.code !== 0) {
    await lateen(["down", "--purge", ...where]);
    throw new Error(`lateen up exited with ${up.code}:\n${up.stdout}\n${up.stderr}`);
  }
  const kubeconfig = path.join(home, name, "kubeconfig");
  const kubectl: TestCluster["kubectl"] = (kubectlArgs, input, env) =>
    runCommand(KUBECTL ?? "kubectl", ["--kubeconfig", kubeconfig, ...kubectlArgs], {
      input,
      env: { ...process.env, ...env },
    });
  return {
    name,
    home,
    kubeconfig,
    upOutput: up.stdout,
    kubectl,
    async status() {
      const { stdout } = await lateen(["status", "-o", "json", ...where]);
      return JSON.parse(stdout) as ClusterStatus;
    },
    async kubectlOk(kubectlArgs, input) {
      const result = await kubectl(kubectlArgs, input);
      if (result.code === 0) return result.stdout;
      throw new Error(`kubectl ${kubectlArgs.join(" ")}: ${result.stderr}${result.stdout}`);
    },
    async down() {
      const result = await lateen(["down", "--purge", ...where]);
      if (result.code !== 0) throw new Error(`lateen down: ${result.stderr}`);
      await rm(home, { recursive: true, force: true });
    },
  };
}

async function textOf(stream: NodeJS.ReadableStream): Promise<string> {
  let text = "";
  stream.setEncoding("utf8");
  for await (const chunk of stream) text += String(chunk);
  return text;
}
