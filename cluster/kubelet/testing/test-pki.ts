/** A certificate authority with one server and its clients, for tests of mutual TLS. */

import "reflect-metadata";
import { webcrypto } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import {
  BasicConstraintsExtension,
  SubjectAlternativeNameExtension,
  X509CertificateGenerator,
  cryptoProvider,
} from "@peculiar/x509";
import type { PkiFiles } from "#cluster/api/process-config.ts";

export interface TestPki {
  ca: string;
  serving: PkiFiles;
  /** Certificate and key (PEM) of a client with this subject, for example `CN=x,O=y`. */
  client(subject: string): Promise<{ cert: string; key: string }>;
}

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };

/** Writes the server's files (for 127.0.0.1) into the folder. */
export async function createTestPki(dir: string): Promise<TestPki> {
  cryptoProvider.set(webcrypto);
  const validity = {
    notBefore: new Date(Date.now() - 60_000),
    notAfter: new Date(Date.now() + 3_600_000),
    signingAlgorithm: ALGORITHM,
  };
  const caKeys = await webcrypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
  const authority = await X509CertificateGenerator.createSelfSigned({
    ...validity,
    name: "CN=test-ca",
    keys: caKeys,
    extensions: [new BasicConstraintsExtension(true, 1, true)],
  });
  const client = async (subject: string): Promise<{ cert: string; key: string }> => {
    const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
    const certificate = await X509CertificateGenerator.create({
      ...validity,
      subject,
      issuer: authority.subject,
      publicKey: keys.publicKey,
      signingKey: caKeys.privateKey,
      extensions: [new SubjectAlternativeNameExtension([{ type: "ip", value: "127.0.0.1" }])],
    });
    const pkcs8 = Buffer.from(await webcrypto.subtle.exportKey("pkcs8", keys.privateKey));
    const body = pkcs8.toString("base64").replaceAll(/(.{64})/g, "$1\n");
    const key = `-----BEGIN PRIVATE KEY-----\n${body}\n-----END PRIVATE KEY-----\n`;
    return { cert: certificate.toString("pem"), key };
  };
  const server = await client("CN=node-1");
  const files = { caFile: "ca.crt", certFile: "server.crt", keyFile: "server.key" };
  const ca = authority.toString("pem");
  await writeFile(join(dir, files.caFile), ca);
  await writeFile(join(dir, files.certFile), server.cert);
  await writeFile(join(dir, files.keyFile), server.key);
  const serving = {
    caFile: join(dir, files.caFile),
    certFile: join(dir, files.certFile),
    keyFile: join(dir, files.keyFile),
  };
  return { ca, serving, client };
}
