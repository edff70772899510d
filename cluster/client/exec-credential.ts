/**
 * Credential plugins of kubeconfigs (Kubernetes, "client-go credential plugins"): a program prints an
 * ExecCredential. Its token is used; a client certificate of a plugin isn't, which is an error.
 */

import { execFile } from "node:child_process";

export interface ExecCommand {
  readonly apiVersion: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Names the user in errors. */
  readonly of: string;
}

const TIMEOUT_MS = 60_000;
const MAX_OUTPUT_BYTES = 1024 * 1024;
/** A token is renewed this long before it expires. */
const EARLY_MS = 10_000;
const VERSIONS = ["client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1"];

/** The `exec` of a user, checked; undefined where there is none. */
export function parseExec(value: unknown, of: string): ExecCommand | undefined {
  if (value === undefined || value === null) return undefined;
  const fields = new Map<string, unknown>(typeof value === "object" ? Object.entries(value) : []);
  const apiVersion = fields.get("apiVersion");
  const command = fields.get("command");
  if (typeof command !== "string" || command === "") throw new Error(`${of}: exec has no command`);
  if (typeof apiVersion !== "string" || !VERSIONS.includes(apiVersion)) {
    throw new Error(`${of}: exec needs one of the versions ${VERSIONS.join(", ")}`);
  }
  const args = fields.get("args") ?? [];
  if (!Array.isArray(args) || !args.every((one) => typeof one === "string")) {
    throw new Error(`${of}: exec has args that are no list of texts`);
  }
  return { apiVersion, command, args, env: environment(fields.get("env")), of };
}

function environment(value: unknown): Record<string, string> {
  const entries = Array.isArray(value) ? (value as unknown[]) : [];
  return Object.fromEntries(
    entries.flatMap((one): [string, string][] => {
      if (typeof one !== "object" || one === null || !("name" in one) || !("value" in one))
        return [];
      const { name, value: text } = one;
      return typeof name === "string" && typeof text === "string" ? [[name, text]] : [];
    }),
  );
}

/** Runs the program when a token is needed and the last one has expired or was refused. */
export class ExecCredential {
  readonly #command: ExecCommand;
  #token: Promise<{ text: string; untilMs: number }> | undefined;

  constructor(command: ExecCommand) {
    this.#command = command;
  }

  /** The server refused it. */
  forget(): void {
    this.#token = undefined;
  }

  async token(signal: AbortSignal): Promise<string> {
    const known = await this.#token?.catch(() => undefined);
    if (known !== undefined && Date.now() < known.untilMs) return known.text;
    this.#token = this.#run(signal);
    return (await this.#token).text;
  }

  async #run(signal: AbortSignal): Promise<{ text: string; untilMs: number }> {
    const { apiVersion, command, args, env, of } = this.#command;
    const info = JSON.stringify({
      apiVersion,
      kind: "ExecCredential",
      spec: { interactive: false },
    });
    const output = await new Promise<string>((resolve, reject) => {
      const options = {
        env: { ...process.env, ...env, KUBERNETES_EXEC_INFO: info },
        timeout: TIMEOUT_MS,
        maxBuffer: MAX_OUTPUT_BYTES,
        signal,
      };
      execFile(command, args, options, (error, stdout, stderr) => {
        if (error === null) return resolve(stdout);
        const said = stderr.trim().slice(0, 500) || error.message;
        reject(new Error(`${of}: ${command}: ${said}`, { cause: error }));
      });
    });
    return tokenIn(output, `${of}: ${command}`);
  }
}

function tokenIn(output: string, of: string): { text: string; untilMs: number } {
  const status = statusIn(output, of);
  const token = status.get("token");
  if (typeof token !== "string" || token === "") {
    throw new Error(`${of}: gave no token; client certificates of plugins are not supported`);
  }
  const expires = status.get("expirationTimestamp");
  const atMs = typeof expires === "string" ? Date.parse(expires) : Number.NaN;
  return { text: token, untilMs: Number.isNaN(atMs) ? Infinity : atMs - EARLY_MS };
}

function statusIn(output: string, of: string): ReadonlyMap<string, unknown> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(output);
  } catch (error) {
    throw new Error(`${of}: gave no ExecCredential`, { cause: error });
  }
  const status =
    typeof parsed === "object" && parsed !== null && "status" in parsed ? parsed.status : undefined;
  return new Map(typeof status === "object" && status !== null ? Object.entries(status) : []);
}
