/** The manifests of this folder as plain objects, for the API server to install at its start. */

import { readFileSync, readdirSync } from "node:fs";
import path from "node:path";
import { load } from "js-yaml";

/** The part of a structural schema that these manifests use. */
export interface CrdSchema {
  title?: string;
  description?: string;
  type?: string;
  format?: string;
  nullable?: boolean;
  enum?: (string | number)[];
  properties?: Record<string, CrdSchema>;
  additionalProperties?: CrdSchema;
  items?: CrdSchema;
  required?: string[];
  "x-kubernetes-preserve-unknown-fields"?: boolean;
  "x-kubernetes-int-or-string"?: boolean;
}

/** An apiextensions.k8s.io/v1 CustomResourceDefinition as far as its readers here look into it. */
export interface CrdManifest {
  apiVersion: string;
  kind: string;
  metadata: { name: string };
  spec: {
    group: string;
    scope: "Namespaced" | "Cluster";
    names: { kind: string; plural: string; singular: string; shortNames?: string[] };
    versions: {
      name: string;
      served: boolean;
      storage: boolean;
      schema: { openAPIV3Schema: CrdSchema };
    }[];
  };
}

/**
 * Every manifest of the folder, ordered by file name. A fresh copy at each call, free of shared
 * references (the files use YAML anchors), so a caller may change what it gets.
 */
export function loadCrds(): CrdManifest[] {
  return readdirSync(import.meta.dirname)
    .filter((file) => file.endsWith(".yaml"))
    .toSorted()
    .map((file) => {
      const text = readFileSync(path.join(import.meta.dirname, file), "utf8");
      // Through JSON, because structuredClone would keep what anchors share.
      return JSON.parse(JSON.stringify(load(text))) as CrdManifest;
    });
}
