/** `lateen manifest`: YAML that installs the mesh on a Kubernetes cluster. */

import { readFile } from "node:fs/promises";
import { dump } from "js-yaml";
import { manifest } from "#install/manifest.ts";
import { DEFAULT_OPTIONS, type InstallOptions } from "#install/options.ts";
import { UsageError } from "#cli/state.ts";

export interface ManifestCommandOptions {
  revision: string;
  image: string;
  proxyImage: string;
  imagePullPolicy: InstallOptions["imagePullPolicy"];
  imagePullSecret: string[];
  clusterName: string;
  clusterDomain: string;
  network: string;
  meshConfigFile?: string;
  replicas: number;
  gatewayReplicas: number;
  gateway: boolean;
}

const NAME = /^[a-z0-9](?:[-a-z0-9]{0,40}[a-z0-9])?$/;
const DOMAIN = /^[a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?$/;

/** Prints all objects, each a document. */
export async function printManifest(
  options: ManifestCommandOptions,
  print: (text: string) => void,
): Promise<void> {
  if (!NAME.test(options.revision)) throw new UsageError("--revision must be a DNS label");
  if (!DOMAIN.test(options.clusterDomain))
    throw new UsageError("--cluster-domain must be a domain");
  const { meshConfigFile } = options;
  const meshConfig =
    meshConfigFile === undefined
      ? DEFAULT_OPTIONS.meshConfig
      : await readFile(meshConfigFile, "utf8");
  const objects = manifest({
    ...options,
    imagePullSecrets: options.imagePullSecret,
    meshConfig,
    replicas: { controlPlane: options.replicas, gateway: options.gatewayReplicas },
  });
  print(objects.map((one) => dump(one, { lineWidth: -1, noRefs: true })).join("---\n"));
}
