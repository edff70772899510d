/** `lateen pilot`: the discovery server alone. */

import { UsageError } from "#cli/state.ts";
import { servePilot } from "#pilot/serve.ts";

export interface PilotOptions {
  configDir?: string;
  kubeconfig?: string;
  grpc: string;
  http?: string;
  insecure: boolean;
}

/** Serves until SIGTERM or SIGINT; prints `READY ADDRESS` once it does. */
export async function runPilot(options: PilotOptions): Promise<void> {
  if (options.configDir === undefined && options.kubeconfig === undefined) {
    throw new UsageError("pilot needs a source: --config-dir DIR, --kubeconfig FILE, or both");
  }
  const abort = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, () => {
      abort.abort();
    });
  }
  try {
    await servePilot(options, abort.signal);
  } catch (error) {
    // What watches the folder or the cluster would keep the process.
    abort.abort();
    throw new UsageError(`pilot: ${reasonOf(error)}`, { cause: error });
  }
}

/** What the system says of ports, folders and files, in words that name what to do. */
function reasonOf(error: unknown): string {
  const { code, address, port, path, message } = error as NodeJS.ErrnoException & {
    address?: string;
    port?: number;
  };
  switch (code) {
    case "EADDRINUSE":
      return `${address}:${port} is in use: end what listens there, or give another port`;
    case "EACCES":
      return `${path ?? `${address}:${port}`}: not permitted`;
    case "ENOENT":
      return `${path}: there is no such file or folder`;
    case "ENOTDIR":
      return `${path}: not a folder`;
    case undefined:
    default:
      return error instanceof Error ? message : String(error);
  }
}
