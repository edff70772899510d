/** The suites' own applications, and calls from inside their pods. */

import { readFileSync } from "node:fs";
import path from "node:path";
import type { TestCluster } from "./cluster.ts";

const TESTDATA = path.join(import.meta.dirname, "testdata");
/** An image of the demo, of which only Node is used. */
const IMAGE = "lateen.dev/bookinfo-details:1";
const NODE = "/opt/lateen/bin/node";
const PROGRAMS = "/programs";

/** A namespace with the programs of `testdata` in a ConfigMap. */
export function namespaceWithPrograms(name: string, meshed: boolean): object[] {
  const labels = meshed ? { "istio-injection": "enabled" } : {};
  const data = Object.fromEntries(
    ["echo.mjs", "calls.mjs", "probed.mjs"].map((file) => [
      file,
      readFileSync(path.join(TESTDATA, file), "utf8"),
    ]),
  );
  return [
    { apiVersion: "v1", kind: "Namespace", metadata: { name, labels } },
    { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "programs", namespace: name }, data },
  ];
}

/** The command that runs one of them. */
export function program(file: string): string[] {
  return [NODE, `${PROGRAMS}/${file}`];
}

export interface EchoOptions {
  namespace: string;
  app: string;
  version?: string;
  env?: Record<string, string>;
}

/** The pod that runs `echo.mjs` on port 8080, or another command. */
export function echoPod(
  command?: readonly string[],
  env: Record<string, string> = {},
): { containers: object[]; [field: string]: unknown } {
  const container = {
    name: "app",
    image: IMAGE,
    command: command ?? program("echo.mjs"),
    env: Object.entries(env).map(([name, value]) => ({ name, value })),
    volumeMounts: [{ name: "programs", mountPath: PROGRAMS }],
    ...(command === undefined
      ? { readinessProbe: { tcpSocket: { port: 8080 }, periodSeconds: 1 } }
      : {}),
  };
  return {
    terminationGracePeriodSeconds: 5,
    containers: [container],
    volumes: [{ name: "programs", configMap: { name: "programs" } }],
  };
}

/** Deployment `app-version`. */
export function echoDeployment({ namespace, app, version = "v1", env }: EchoOptions): object {
  const labels = { app, version };
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: `${app}-${version}`, namespace },
    spec: {
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: echoPod(undefined, { VERSION: version, ...env }) },
    },
  };
}

export function service(
  name: string,
  namespace: string,
  spec: { app: string; ports: object[]; clusterIP?: string },
): object {
  const { app, ...rest } = spec;
  const metadata = { name, namespace };
  return { apiVersion: "v1", kind: "Service", metadata, spec: { selector: { app }, ...rest } };
}

/** Objects as kubectl reads them from its stdin. */
export function manifest(...objects: object[]): string {
  return objects.map((object) => JSON.stringify(object)).join("\n");
}

export interface InnerAnswer {
  status?: number;
  headers?: Record<string, string>;
  body?: string;
  error?: string;
}

export type InnerCall =
  | { url: string; method?: string; headers?: Record<string, string> }
  | { tcp: string; send: string }
  | { upgrade: string };

/**
 * Makes calls one after the other from inside a pod; `where` is `namespace/deployment`, or
 * `namespace/pod/name`.
 */
export async function callFrom(
  cluster: TestCluster,
  where: string,
  calls: readonly InnerCall[],
): Promise<InnerAnswer[]> {
  const [namespace = "", ...name] = where.split("/");
  const what = name.length > 1 ? name.join("/") : `deployment/${name.join()}`;
  const exec = ["-n", namespace, "exec", "-i", what, "-c", "app", "--"];
  const output = await cluster.kubectlOk([...exec, ...program("calls.mjs")], JSON.stringify(calls));
  return JSON.parse(output) as InnerAnswer[];
}
