/** `lateen mesh`: what the Deployment of `lateen manifest` runs. */

import { MESH_PORTS } from "#install/options.ts";
import { runMesh } from "#cli/mesh/run-mesh.ts";

export interface MeshCommandOptions {
  kubeconfig: string;
  revision: string;
  clusterDomain: string;
  address: string;
  /** Any free ports instead of those of the Service. */
  anyPort: boolean;
}

/** How long what is under way may take after the signal. */
const LAST_WORK_MS = 2_000;

const ANY = { ads: 0, http: 0, validation: 0, injection: 0 };

/** Serves until SIGTERM or SIGINT; prints `READY` once it does. */
export async function runMeshCommand(options: MeshCommandOptions): Promise<void> {
  const abort = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.once(signal, () => {
      abort.abort();
      setTimeout(() => process.exit(0), LAST_WORK_MS).unref();
    });
  }
  const ports = options.anyPort ? ANY : MESH_PORTS;
  await runMesh({ ...options, ports }, abort.signal, () => console.log("READY"));
}
