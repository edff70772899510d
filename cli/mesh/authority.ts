/** The mesh's own authority on a cluster: one Secret that all replicas share. */

import { readFile } from "node:fs/promises";
import path from "node:path";
import type { PkiFiles } from "#cluster/api/process-config.ts";
import type { Secret } from "#cluster/api/generated/core-v1.ts";
import { SECRETS } from "#cluster/api/resources.ts";
import { hasReason } from "#cluster/api/status-error.ts";
import type { KubeClient } from "#cluster/client/client.ts";
import { ensureServing } from "#cli/pki.ts";
import { writeAtomically } from "#cli/state.ts";

/** Istio's name and keys of it. */
const NAME = "istio-ca-secret";
const CERT = "ca-cert.pem";
const KEY = "ca-key.pem";

export interface MeshAuthority {
  /** PEM; proxies and the API server trust it. */
  caPem: string;
  /** For these names, signed by it. */
  serving: PkiFiles;
}

/** The first replica makes the authority; every other one, and every later start, takes it over. */
export async function meshAuthority(
  client: KubeClient,
  options: { namespace: string; dir: string; names: readonly string[] },
): Promise<MeshAuthority> {
  const { namespace, dir, names } = options;
  const subject = {
    file: "istiod",
    commonName: "istiod",
    serverNames: { dns: [...names], ip: [] },
  };
  const existing = await read(client, namespace);
  if (existing !== undefined) await write(dir, existing);
  let serving = await ensureServing(dir, subject);
  if (existing === undefined && !(await publish(client, namespace, dir))) {
    const faster = await read(client, namespace);
    if (faster === undefined) throw new Error(`Secret ${namespace}/${NAME} comes and goes`);
    await write(dir, faster);
    serving = await ensureServing(dir, subject);
  }
  return { caPem: await readFile(serving.caFile, "utf8"), serving };
}

interface Pair {
  cert: string;
  key: string;
}

async function read(client: KubeClient, namespace: string): Promise<Pair | undefined> {
  const secret = await client.get(SECRETS, { namespace, name: NAME }).catch((error: unknown) => {
    if (hasReason(error, "NotFound")) return undefined;
    throw error;
  });
  if (secret === undefined) return undefined;
  const text = (key: string): string =>
    Buffer.from(secret.data?.[key] ?? "", "base64").toString("utf8");
  const pair = { cert: text(CERT), key: text(KEY) };
  if (pair.cert !== "" && pair.key !== "") return pair;
  throw new Error(`Secret ${namespace}/${NAME} has no ${CERT} and ${KEY}`);
}

async function write(dir: string, { cert, key }: Pair): Promise<void> {
  await writeAtomically(path.join(dir, "ca.key"), key);
  await writeAtomically(path.join(dir, "ca.crt"), cert, 0o644);
}

/** False where another replica was faster. */
async function publish(client: KubeClient, namespace: string, dir: string): Promise<boolean> {
  const [cert, key] = await Promise.all(
    ["ca.crt", "ca.key"].map((file) => readFile(path.join(dir, file))),
  );
  const secret: Secret = {
    metadata: { name: NAME, namespace },
    type: "istio.io/ca-root",
    data: {
      [CERT]: (cert ?? Buffer.of()).toString("base64"),
      [KEY]: (key ?? Buffer.of()).toString("base64"),
    },
  };
  try {
    await client.create(SECRETS, secret);
    return true;
  } catch (error) {
    if (hasReason(error, "AlreadyExists")) return false;
    throw error;
  }
}
