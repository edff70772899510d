/** The mesh's `pathNormalization`. */

import type { Listener } from "#pilot/ir/listener.ts";
import type { MeshConfig } from "#pilot/model/mesh-config.ts";

/** Fields of a listener; none for what most meshes have. */
export function pathFields(mesh: MeshConfig): Pick<Listener, "pathNormalization"> {
  const { pathNormalization } = mesh;
  return pathNormalization === "BASE" ? {} : { pathNormalization };
}
