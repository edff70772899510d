import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { mkdir } from "node:fs/promises";
import { type Server, request } from "node:https";
import type { AddressInfo } from "node:net";
import { WebSocket } from "ws";
import {
  type KubeletFixture,
  createKubeletFixture,
  shell,
} from "#cluster/kubelet/testing/kubelet-fixture.ts";
import { type TestPki, createTestPki } from "#cluster/kubelet/testing/test-pki.ts";
import { missingForContainers } from "#cluster/runtime/testing/runtime-fixture.ts";
import { startKubeletServer } from "./kubelet-server.ts";

const missing = await missingForContainers();
if (missing !== undefined) process.stderr.write(`the kubelet API is skipped: ${missing}\n`);
const describeReal = missing === undefined ? describe : describe.skip;

interface Credentials {
  cert: string;
  key: string;
}

describeReal("the kubelet's API", () => {
  let fixture: KubeletFixture;
  let pki: TestPki;
  let server: Server;
  let port: number;
  let apiServer: Credentials;

  beforeAll(async () => {
    fixture = await createKubeletFixture();
    const dir = fixture.config.stateDir;
    await mkdir(dir, { recursive: true });
    pki = await createTestPki(dir);
    apiServer = await pki.client("CN=kube-apiserver-kubelet-client,O=system:masters");
    const { context, workers } = fixture.kubelet;
    server = await startKubeletServer({
      server: { context, workers },
      serving: pki.serving,
      address: "127.0.0.1",
      port: 0,
    });
    ({ port } = server.address() as AddressInfo);
    const script = "echo one; echo two >&2; while read line; do echo got $line; done; sleep 60";
    await fixture.createPod("example", { containers: [shell("main", script, { stdin: true })] });
    await fixture.waitFor("example", "running", ({ status }) => status?.phase === "Running");
  }, 20_000);
  afterAll(async () => {
    server.closeAllConnections();
    server.close();
    await fixture.close();
  }, 20_000);

  function get(path: string, as: Credentials = apiServer): Promise<[number, string]> {
    return new Promise((resolve, reject) => {
      const options = { ...as, ca: pki.ca, host: "127.0.0.1", port, path, agent: false };
      const asked = request(options, (response) => {
        let body = "";
        response.on("data", (chunk: Buffer) => (body += chunk.toString()));
        response.on("end", () => resolve([response.statusCode ?? 0, body]));
      });
      asked.on("error", reject);
      asked.end();
    });
  }

  /** Everything that comes on each channel until the socket is closed. */
  function stream(path: string, send: (socket: WebSocket) => void): Promise<Map<number, string>> {
    const url = `wss://127.0.0.1:${port}${path}`;
    const socket = new WebSocket(url, "v5.channel.k8s.io", { ...apiServer, ca: pki.ca });
    const received = new Map<number, string>();
    return new Promise((resolve, reject) => {
      socket.on("open", () => send(socket));
      socket.on("message", (data: Buffer) => {
        const channel = data[0] ?? -1;
        received.set(channel, (received.get(channel) ?? "") + data.subarray(1).toString());
      });
      socket.on("close", () => resolve(received));
      socket.on("error", reject);
    });
  }

  test("logs, with their options and errors", async () => {
    const path = "/containerLogs/default/example/main";
    expect(await get(path)).toEqual([200, expect.stringMatching(/one\n|two\n/)]);
    expect(await get(`${path}?tailLines=1`)).toEqual([200, expect.stringMatching(/^(one|two)\n$/)]);
    expect(await get(`${path}?tailLines=x`)).toEqual([400, expect.stringContaining("tailLines")]);
    expect(await get(`${path}?previous=true`)).toEqual([
      400,
      'previous terminated container "main" in pod "example" not found',
    ]);
    expect(await get("/containerLogs/default/gone/main")).toEqual([404, 'pod "gone" not found']);
    expect(await get("/containerLogs/default/example/gone")).toEqual([
      400,
      "container gone is not valid for pod example",
    ]);
  });

  test("health, pods and stats", async () => {
    expect(await get("/healthz")).toEqual([200, "ok"]);
    expect(JSON.parse((await get("/pods"))[1])).toMatchObject({ kind: "PodList" });
    expect(JSON.parse((await get("/stats/summary"))[1])).toMatchObject({
      node: { nodeName: "node-1" },
      pods: [{ podRef: { name: "example" }, containers: [{ name: "main" }] }],
    });
    expect((await get("/nothing"))[0]).toBe(404);
  });

  test("a certificate of a node or a user is not enough", async () => {
    const user = await pki.client("CN=jane,O=developers");
    expect(await get("/pods", user)).toEqual([403, "jane may not call the kubelet API"]);
    await expect(get("/pods", { cert: "", key: "" })).rejects.toThrow();
  });

  test("exec carries stdin, both outputs and the exit code", async () => {
    const command = ["sh", "-c", "cat; echo err >&2; exit 7"].map(
      (word) => `command=${encodeURIComponent(word)}`,
    );
    const query = [...command, "input=1", "output=1", "error=1"].join("&");
    const received = await stream(`/exec/default/example/main?${query}`, (socket) => {
      socket.send(Buffer.from("\0hello"));
      socket.send(Buffer.from([255, 0]));
    });
    expect(received.get(1)).toBe("hello");
    expect(received.get(2)).toBe("err\n");
    expect(JSON.parse(received.get(3) ?? "")).toMatchObject({
      status: "Failure",
      reason: "NonZeroExitCode",
      details: { causes: [{ reason: "ExitCode", message: "7" }] },
    });
  });

  test("exec on a terminal has the client's size as soon as the runtime has set it", async () => {
    // crun starts the command first: its terminal may have no size for a moment.
    const script = 'for i in $(seq 500); do [ "$(stty size)" = "0 0" ] || break; done; stty size';
    const command = ["sh", "-c", script].map((word) => `command=${encodeURIComponent(word)}`);
    const query = [...command, "input=1", "output=1", "tty=1"].join("&");
    const received = await stream(`/exec/default/example/main?${query}`, (socket) =>
      socket.send(`\u0004{"Width":111,"Height":44}`, { binary: true }),
    );
    expect(received.get(1)).toBe("44 111\r\n");
  });

  test("a command that doesn't exist says so", async () => {
    const query = "command=/nonexistent&output=1";
    const received = await stream(`/exec/default/example/main?${query}`, () => undefined);
    expect(JSON.parse(received.get(3) ?? "")).toMatchObject({
      status: "Failure",
      message: expect.stringContaining("/nonexistent"),
    });
  });

  test("attach writes to the process's stdin and shows its output", async () => {
    const received = await stream("/attach/default/example/main?input=1&output=1", (socket) => {
      socket.send(Buffer.from("\0word\n"));
      socket.on("message", () => socket.close());
    });
    expect(received.get(1)).toBe("got word\n");
  });
});
