import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { readFile, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { detectCgroups } from "./cgroup.ts";
import type { ContainerConfig, ContainerStatus } from "./container.ts";
import { execToEnd, startExec } from "./exec.ts";
import { readLog } from "./log-reader.ts";
import {
  type RuntimeFixture,
  createRuntimeFixture,
  missingForContainers,
} from "./testing/runtime-fixture.ts";

const missing = await missingForContainers();
if (missing !== undefined) process.stderr.write(`real containers are skipped: ${missing}\n`);
const describeReal = missing === undefined ? describe : describe.skip;
const cgroups = await detectCgroups().catch(() => undefined);
const testV2 = cgroups?.version === 2 ? test : test.skip;

describeReal("containers by crun and conmon", () => {
  let fixture: RuntimeFixture;

  beforeAll(async () => {
    fixture = await createRuntimeFixture();
  });
  afterAll(() => fixture.close());

  async function run(script: string, changes: Partial<ContainerConfig> = {}): Promise<string> {
    const { containers } = fixture.runtime;
    const id = await containers.createContainer(await fixture.config(script, changes));
    await containers.startContainer(id);
    return id;
  }

  async function ended(id: string): Promise<ContainerStatus> {
    for (let waited = 0; waited < 10_000; waited += 10) {
      const status = fixture.runtime.containers.get(id);
      if (status?.state === "exited") return status;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    throw new Error("the container has not ended within 10 s");
  }

  async function output(script: string, changes: Partial<ContainerConfig> = {}): Promise<string> {
    const logPath = join(fixture.stateDir, "logs", `${Math.random()}.log`);
    const id = await run(script, { ...changes, logPath });
    await ended(id);
    await fixture.runtime.containers.removeContainer(id);
    let text = "";
    const options = { follow: false, timestamps: false, signal: AbortSignal.timeout(5000) };
    for await (const piece of readLog(logPath, { ...options, isRunning: () => false })) {
      text += piece.toString();
    }
    return text;
  }

  test("a container's exit code, reason and log come out", async () => {
    const id = await run("echo hello; echo $FROM_IMAGE $HOSTNAME >&2; exit 3");
    const status = await ended(id);
    expect(status).toMatchObject({ state: "exited", exitCode: 3, reason: "Error" });
    const log = await readFile(status.logPath, "utf8");
    expect(log).toMatch(/stdout F hello\n.*stderr F yes example\n/);
    await fixture.runtime.containers.removeContainer(id);
    expect(fixture.runtime.containers.get(id)).toBeUndefined();
  });

  test("a host image hides homes, the state folder and secrets, and starts afresh", async () => {
    const script = `ls -a /root /home /tmp /run /var/lib; cat /etc/shadow; ls /work ${fixture.stateDir};
      echo mine > /etc/written; ls /opt/example/bin/env; head -1 /etc/passwd`;
    const text = await output(script);
    expect(text).toContain("/etc/shadow: No such file");
    expect(text).toContain(`${fixture.stateDir}': No such file`);
    expect(text).toContain("'/work': No such file");
    expect(text).toContain("/opt/example/bin/env\nroot:");
    expect(text).not.toMatch(/\.ssh|\.bashrc|\.cache/);
    await expect(readFile("/etc/written")).rejects.toThrow("ENOENT");
  });

  test("user, capabilities, limits and read-only roots are applied", async () => {
    const security = {
      ...(await fixture.config("")).security,
      uid: 1337,
      gid: 1338,
      supplementalGroups: [1339],
      readOnlyRoot: true,
      noNewPrivileges: true,
      dropCapabilities: ["ALL"],
      addCapabilities: ["NET_ADMIN"],
    };
    const script = "id -u; id -G; grep -E 'CapBnd|NoNewPrivs' /proc/self/status; touch /x";
    const text = await output(script, { security });
    expect(text).toMatch(/1337\n1338 1339\nCapBnd:\t0000000000001000\nNoNewPrivs:\t1\n/);
    expect(text).toContain("Read-only file system");
  });

  test("a container over its memory limit is OOMKilled", async () => {
    const id = await run("exec tail /dev/zero", { resources: { memoryLimitBytes: 16 << 20 } });
    expect(await ended(id)).toMatchObject({ exitCode: 137, reason: "OOMKilled" });
  });

  testV2("a container sees its own limits, and is killed as a whole", async () => {
    const resources = { memoryLimitBytes: 16 << 20, cpuQuotaUs: 20_000 };
    const script = "cd /sys/fs/cgroup; cat /proc/self/cgroup memory.max memory.swap.max cpu.max";
    const text = await output(script, { resources });
    expect(text).toMatch(/^0::\/\n16777216\n(0\n)?20000 100000\n/);
    const id = await run("tail /dev/zero; echo survived; sleep 60", { resources });
    expect(await ended(id)).toMatchObject({ exitCode: 137, reason: "OOMKilled" });
  });

  test("a command that doesn't exist is refused in the runtime's words", async () => {
    const config = await fixture.config("", { command: ["/nonexistent"], args: [] });
    await expect(run("", config)).rejects.toMatchObject({
      message: expect.stringContaining("/nonexistent"),
    });
    expect(fixture.runtime.containers.list().filter(({ state }) => state === "created")).toEqual(
      [],
    );
  });

  test("exec runs beside the process, with its exit code, streams and stdin", async () => {
    const id = await run("sleep 60", { identity: { ...(await identity()), name: "exec" } });
    const target = fixture.runtime.execTarget(id);
    const result = await execToEnd(target, ["sh", "-c", "echo out; echo err >&2; exit 7"], 5000);
    expect(result).toEqual({
      exitCode: 7,
      output: expect.stringMatching(/out\n|err\n/),
      timedOut: false,
    });
    const session = await startExec(target, { command: ["cat"], tty: false, stdin: true });
    session.stdin?.end("through cat");
    const chunks: Buffer[] = [];
    for await (const chunk of session.stdout) chunks.push(chunk as Buffer);
    expect(Buffer.concat(chunks).toString()).toBe("through cat");
    expect(await session.exitCode).toBe(0);
    const slow = await execToEnd(target, ["sleep", "30"], 200);
    expect(slow.timedOut).toBe(true);
    await expect(execToEnd(target, ["/nonexistent"], 5000)).rejects.toThrow("/nonexistent");
  });

  test("exec on a terminal knows its size", async () => {
    const id = await run("sleep 60", { identity: { ...(await identity()), name: "tty" } });
    const session = await startExec(fixture.runtime.execTarget(id), {
      command: ["sh", "-c", "tty; echo ready; read line; stty size; exit 5"],
      tty: true,
      stdin: true,
    });
    let text = "";
    session.stdout.on("data", (chunk: Buffer) => (text += chunk.toString()));
    for (let waited = 0; !text.includes("ready") && waited < 5000; waited += 10) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    await session.resize(99, 33);
    session.stdin?.write("go\n");
    expect(await session.exitCode).toBe(5);
    expect(text).toContain("/dev/pts/0");
    expect(text).toContain("33 99");
  });

  test("a new agent takes containers over, running or ended meanwhile", async () => {
    const { containers } = fixture.runtime;
    const running = await run("sleep 60", { identity: { ...(await identity()), name: "stays" } });
    const ending = await run("sleep 0.3; exit 4", {
      identity: { ...(await identity()), name: "ends" },
    });
    containers.stop();
    const pid = containers.get(running)?.pid;
    const broken = join(fixture.stateDir, "nodes/node-1/containers", "f".repeat(64));
    await import("node:fs/promises").then(({ mkdir }) => mkdir(broken));
    await writeFile(join(broken, "container.json"), "{not json");
    await fixture.restart();
    expect(fixture.runtime.containers.get(running)).toMatchObject({ state: "running", pid });
    expect(await ended(ending)).toMatchObject({ exitCode: 4 });
    expect(fixture.problems.join()).toContain("f".repeat(64));
    await expect(readdir(broken)).rejects.toThrow("ENOENT");
  });

  test("stop sends the signal, waits for the grace, then kills", async () => {
    const { containers } = fixture.runtime;
    const polite = await looping("trap 'exit 9' TERM");
    await containers.stopContainer(polite, { graceMs: 5000 });
    expect(containers.get(polite)).toMatchObject({ exitCode: 9 });
    const deaf = await looping("trap '' TERM");
    await containers.stopContainer(deaf, { graceMs: 100 });
    expect(containers.get(deaf)).toMatchObject({ exitCode: 137, reason: "Error" });
  });

  /** A container that has done its preparations (a trap that isn't set yet can't catch). */
  async function looping(preparations: string): Promise<string> {
    const logPath = join(fixture.stateDir, "logs", `${Math.random()}.log`);
    const id = await run(`${preparations}; echo ready; while :; do sleep 0.05; done`, { logPath });
    const options = { follow: true, timestamps: false, signal: AbortSignal.timeout(4000) };
    for await (const _ready of readLog(logPath, { ...options, isRunning: () => true })) break;
    return id;
  }

  async function identity(): Promise<ContainerConfig["identity"]> {
    return (await fixture.config("")).identity;
  }
});
