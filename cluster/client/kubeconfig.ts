/** Where an API server is and who we are: from a kubeconfig file or a pod's service account. */

import { readFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { load } from "js-yaml";
import { type ExecCommand, parseExec } from "./exec-credential.ts";

/** Everything `createClient` needs; certificates and keys are PEM text. */
export interface ClientConfig {
  /** Base URL, for example `https://127.0.0.1:6443`; a path prefix is kept. */
  server: string;
  ca?: string;
  cert?: string;
  key?: string;
  token?: string;
  /** Wins over `token`; read again every minute, as projected tokens are rotated. */
  tokenFile?: string;
  /** Wins over both: a program that says who we are, run again when its answer has expired. */
  exec?: ExecCommand;
  insecureSkipTlsVerify?: boolean;
  /** Name expected in the server's certificate when it differs from the host of `server`. */
  tlsServerName?: string;
  /** The context's namespace, `default` when it names none. */
  namespace: string;
}

const SERVICE_ACCOUNT_DIR = "/var/run/secrets/kubernetes.io/serviceaccount";

/** Where a kubeconfig comes from; one without a folder may name neither files nor programs. */
interface Origin {
  readonly name: string;
  readonly directory?: string;
}

/**
 * Reads a kubeconfig and resolves `context` (default: the current one). Relative file names are
 * relative to the kubeconfig, as in kubectl. Credential plugins of the kind `auth-provider`, which
 * kubectl has no more, are refused with an error that says so.
 */
export async function loadKubeconfig(file: string, context?: string): Promise<ClientConfig> {
  const document = record(load(await readFile(file, "utf8")), `${file}: not a kubeconfig`);
  return resolveContext(document, { name: file, directory: dirname(file) }, context);
}

/**
 * A kubeconfig that somebody else has written: it is read for what it holds itself, and refused if
 * it would have files of this machine read or programs run. `name` stands in errors.
 */
export async function parseForeignKubeconfig(content: string, name: string): Promise<ClientConfig> {
  return resolveContext(record(load(content), `${name}: not a kubeconfig`), { name });
}

async function resolveContext(
  document: Record<string, unknown>,
  origin: Origin,
  context?: string,
): Promise<ClientConfig> {
  const file = origin.name;
  const contextName = context ?? text(document["current-context"]);
  if (contextName === undefined || contextName === "") {
    throw new Error(`${file}: no current-context; set one or name a context`);
  }
  const chosen = named(document, { list: "contexts", name: contextName, key: "context" }, file);
  const at = { list: "clusters", name: text(chosen.cluster) ?? "", key: "cluster" };
  const cluster = named(document, at, file);
  const userName = text(chosen.user);
  const user =
    userName === undefined || userName === ""
      ? {}
      : named(document, { list: "users", name: userName, key: "user" }, file);
  const refused = origin.directory === undefined ? ["exec", "auth-provider"] : ["auth-provider"];
  for (const plugin of refused) {
    if (user[plugin] !== undefined) {
      throw new Error(`${file}: user ${userName}: ${plugin} is not supported; use a token or cert`);
    }
  }
  const server = text(cluster.server);
  if (server === undefined) throw new Error(`${file}: cluster ${at.name} has no server`);
  const inline = (from: Record<string, unknown>, key: string) => pem(from, key, origin);
  const tokenFile = text(user.tokenFile);
  const exec = parseExec(user.exec, `${file}: user ${userName}`);
  return {
    server,
    ca: await inline(cluster, "certificate-authority"),
    cert: await inline(user, "client-certificate"),
    key: await inline(user, "client-key"),
    token: text(user.token),
    tokenFile: tokenFile === undefined ? undefined : fileOf(tokenFile, "tokenFile", origin),
    ...(exec === undefined ? {} : { exec }),
    insecureSkipTlsVerify: cluster["insecure-skip-tls-verify"] === true,
    tlsServerName: text(cluster["tls-server-name"]),
    namespace: text(chosen.namespace) ?? "default",
  };
}

/** The configuration of a process in a pod: the `kubernetes` Service and the mounted token. */
export async function inClusterConfig(
  environment: Readonly<Record<string, string | undefined>> = process.env,
  directory: string = SERVICE_ACCOUNT_DIR,
): Promise<ClientConfig> {
  const host = environment.KUBERNETES_SERVICE_HOST;
  const port = environment.KUBERNETES_SERVICE_PORT;
  if (host === undefined || port === undefined) {
    throw new Error("not in a pod: KUBERNETES_SERVICE_HOST and _PORT are not set");
  }
  return {
    server: `https://${host.includes(":") ? `[${host}]` : host}:${port}`,
    ca: await readFile(`${directory}/ca.crt`, "utf8"),
    tokenFile: `${directory}/token`,
    namespace: (await readFile(`${directory}/namespace`, "utf8")).trim(),
  };
}

function named(
  document: Record<string, unknown>,
  at: { list: string; name: string; key: string },
  file: string,
): Record<string, unknown> {
  const entries = document[at.list];
  const entry = (Array.isArray(entries) ? entries : []).find((candidate: unknown) =>
    typeof candidate === "object" && candidate !== null && "name" in candidate
      ? candidate.name === at.name
      : false,
  ) as Record<string, unknown> | undefined;
  return record(entry?.[at.key], `${file}: ${at.list} has no entry named "${at.name}"`);
}

/** The PEM text of `KEY-data` (base64) or of the file that `KEY` names. */
async function pem(
  from: Record<string, unknown>,
  key: string,
  origin: Origin,
): Promise<string | undefined> {
  const data = text(from[`${key}-data`]);
  if (data !== undefined && data !== "") return Buffer.from(data, "base64").toString("utf8");
  const path = text(from[key]);
  if (path === undefined || path === "") return undefined;
  return readFile(fileOf(path, key, origin), "utf8");
}

function fileOf(path: string, key: string, { name, directory }: Origin): string {
  if (directory === undefined) throw new Error(`${name}: ${key}: files are not read; inline it`);
  return resolve(directory, path);
}

function record(value: unknown, problem: string): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new Error(problem);
  return value as Record<string, unknown>;
}

function text(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}
