/** A real API server on loopback for tests, with a client and files for kubectl. */

import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { connect, type ClientHttp2Session } from "node:http2";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ControlPlaneConfig, PkiFiles } from "#cluster/api/process-config.ts";
import { startApiServer } from "#cluster/apiserver/start.ts";
import { createTestPki, type TestPki } from "./test-pki.ts";

export interface TestServer {
  url: string;
  folder: string;
  pki: TestPki;
  config: ControlPlaneConfig;
  /** Client certificate of group system:masters. */
  admin: PkiFiles;
  /** A kubeconfig for that certificate. */
  kubeconfig: string;
  /** Stops the server and keeps its files. */
  stop(): Promise<void>;
  /** Starts it again on the same files and port. */
  start(): Promise<void>;
  /** Stops the server and removes its files. */
  remove(): Promise<void>;
}

export async function startTestServer(): Promise<TestServer> {
  const folder = await mkdtemp(join(tmpdir(), "lateen-apiserver-"));
  const pki = await createTestPki(join(folder, "pki"));
  const admin = await pki.issue("admin", { user: "admin", groups: ["system:masters"] });
  const port = await freePort();
  const url = `https://127.0.0.1:${port}`;
  const kubeconfig = join(folder, "kubeconfig");
  const config = await configOf(folder, { pki, port, kubeconfig });
  await writeFile(kubeconfig, kubeconfigOf(url, admin), { mode: 0o600 });
  const start = (): ReturnType<typeof startApiServer> =>
    startApiServer(config, new AbortController().signal);
  let server = await start();
  return {
    url,
    folder,
    pki,
    config,
    admin,
    kubeconfig,
    stop: () => server.close(),
    start: async () => {
      server = await start();
    },
    remove: async () => {
      await server.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function configOf(
  folder: string,
  { pki, port, kubeconfig }: { pki: TestPki; port: number; kubeconfig: string },
): Promise<ControlPlaneConfig> {
  const caKeyFile = await pki.writeKey("unused-ca");
  const address = "127.0.0.1";
  return {
    clusterName: "test",
    stateDir: folder,
    network: {
      fabricCidr: "10.230.0.0/24",
      hostAddress: address,
      podCidr: "10.228.0.0/16",
      serviceCidr: "10.229.0.0/16",
      loadBalancerCidr: "10.230.200.0/24",
      dnsAddress: "10.229.0.10",
      clusterDomain: "cluster.local",
      fabricNamespace: "none",
      hostLink: "none",
    },
    listen: [{ address, port }],
    serving: await pki.issue("serving", {
      user: "kube-apiserver",
      serves: [address, "localhost", "kubernetes.default.svc"],
    }),
    caKeyFile,
    serviceAccountKeyFile: await pki.writeKey("service-account"),
    kubeletClient: await pki.issue("kubelet-client", {
      user: "kube-apiserver-kubelet-client",
      groups: ["system:masters"],
    }),
    kubeconfig,
    storeFile: join(folder, "store", "store.db"),
    webhookPort: 0,
    webhookServing: await pki.issue("webhook", { user: "webhook", serves: [address] }),
    discovery: { address, port: 15012, httpPort: 15014 },
    dnsRelayPort: 53,
    localhostDir: join(folder, "localhost"),
  };
}

function kubeconfigOf(server: string, { caFile, certFile, keyFile }: PkiFiles): string {
  return JSON.stringify({
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name: "test", cluster: { server, "certificate-authority": caFile } }],
    users: [{ name: "admin", user: { "client-certificate": certFile, "client-key": keyFile } }],
    contexts: [{ name: "test", context: { cluster: "test", user: "admin" } }],
    "current-context": "test",
  });
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once("error", reject);
    probe.listen(0, "127.0.0.1", () => {
      const address = probe.address();
      const port = typeof address === "object" && address !== null ? address.port : 0;
      probe.close(() => resolve(port));
    });
  });
}

export interface TestResponse {
  code: number;
  headers: Record<string, string | string[] | undefined>;
  text: string;
  /** The parsed body; undefined when it isn't JSON. */
  // Tests look at many shapes; `toMatchObject` checks them.
  body: unknown;
}

export interface TestRequest {
  method?: string;
  body?: unknown;
  headers?: Record<string, string>;
}

/** A bare HTTP/2 client, so that tests see the protocol and not a library's view of it. */
export interface TestClient {
  send(path: string, request?: TestRequest): Promise<TestResponse>;
  /** Watch events until `enough` says so; fails after ten seconds. */
  watch(path: string, enough: (events: WatchLine[]) => boolean): Promise<WatchLine[]>;
  close(): void;
}

export interface WatchLine {
  type: string;
  object: { kind?: string; metadata: Record<string, unknown>; [field: string]: unknown };
}

const WATCH_LIMIT_MS = 10_000;

/** Without files the client has no certificate; a token goes into the request's headers. */
export async function connectClient(
  server: Pick<TestServer, "url" | "pki">,
  files?: PkiFiles,
): Promise<TestClient> {
  const session = connect(server.url, {
    ca: await readFile(server.pki.caFile),
    ...(files && { cert: await readFile(files.certFile), key: await readFile(files.keyFile) }),
  });
  session.on("error", () => session.destroy());
  return {
    send: (path, request) => send(session, path, request),
    watch: (path, enough) => watch(session, path, enough),
    close: () => session.close(),
  };
}

function send(
  session: ClientHttp2Session,
  path: string,
  { method, body, headers }: TestRequest = {},
): Promise<TestResponse> {
  return new Promise((resolve, reject) => {
    const stream = session.request(
      {
        ":path": path,
        ":method": method ?? (body === undefined ? "GET" : "POST"),
        ...(body !== undefined && { "content-type": "application/json" }),
        ...headers,
      },
      { endStream: body === undefined },
    );
    if (body !== undefined) stream.end(typeof body === "string" ? body : JSON.stringify(body));
    let code = 0;
    let answered: TestResponse["headers"] = {};
    let text = "";
    stream.setEncoding("utf8");
    stream.on("response", (head) => {
      code = head[":status"] ?? 0;
      answered = head;
    });
    stream.on("data", (chunk: string) => (text += chunk));
    stream.on("error", reject);
    stream.on("close", () => resolve({ code, headers: answered, text, body: parse(text) }));
  });
}

function watch(
  session: ClientHttp2Session,
  path: string,
  enough: (events: WatchLine[]) => boolean,
): Promise<WatchLine[]> {
  return new Promise((resolve, reject) => {
    const events: WatchLine[] = [];
    const stream = session.request({ ":path": path });
    const timer = setTimeout(() => {
      reject(new Error(`watch ${path} saw only ${JSON.stringify(events)}`));
      stream.close();
    }, WATCH_LIMIT_MS);
    const finish = (): void => {
      clearTimeout(timer);
      resolve(events);
      stream.close();
    };
    let rest = "";
    stream.setEncoding("utf8");
    stream.on("data", (chunk: string) => {
      const lines = `${rest}${chunk}`.split("\n");
      rest = lines.pop() ?? "";
      events.push(...lines.map((line) => JSON.parse(line) as WatchLine));
      if (enough(events)) finish();
    });
    stream.on("error", reject);
    stream.on("end", finish);
  });
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
