/** The text of a kubeconfig with one cluster, one user and one context. */

import { readFile } from "node:fs/promises";
import { dump } from "js-yaml";
import type { PkiFiles } from "#cluster/api/process-config.ts";

/** Certificates are put in by value, so that the file can be copied elsewhere. */
export async function kubeconfigText(options: {
  clusterName: string;
  server: string;
  client: PkiFiles;
}): Promise<string> {
  const { clusterName, server, client } = options;
  const [ca, cert, key] = await Promise.all(
    [client.caFile, client.certFile, client.keyFile].map(async (file) =>
      (await readFile(file)).toString("base64"),
    ),
  );
  const context = `lateen-${clusterName}`;
  return dump({
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name: context, cluster: { server, "certificate-authority-data": ca } }],
    users: [{ name: context, user: { "client-certificate-data": cert, "client-key-data": key } }],
    contexts: [{ name: context, context: { cluster: context, user: context } }],
    "current-context": context,
  });
}
