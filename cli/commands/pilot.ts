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
    const message = error instanceof Error ? error.message : String(error);
    throw new UsageError(`pilot: ${message}`, { cause: error });
  }
}
