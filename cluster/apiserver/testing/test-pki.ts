/** A certificate authority for tests: the same files as a real cluster's, made in memory. */

// The certificate library needs it first.
import "reflect-metadata";
import { webcrypto } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import * as x509 from "@peculiar/x509";
import type { PkiFiles } from "#cluster/api/process-config.ts";

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };

/** What a certificate is for; groups are its organizations. */
export interface Subject {
  user: string;
  groups?: string[];
  /** Names and addresses that it serves. */
  serves?: string[];
}

export interface TestPki {
  caFile: string;
  /** Writes certificate and key to `NAME.crt` and `NAME.key`. */
  issue(name: string, subject: Subject): Promise<PkiFiles>;
  /** An EC key as ServiceAccount tokens are signed with. */
  writeKey(name: string): Promise<string>;
}

export async function createTestPki(folder: string): Promise<TestPki> {
  await mkdir(folder, { recursive: true });
  const keys = await generateKeys();
  const validity = { notBefore: new Date(Date.now() - 60_000), notAfter: inAnHour() };
  const ca = await x509.X509CertificateGenerator.createSelfSigned({
    name: "CN=test-ca",
    keys,
    signingAlgorithm: ALGORITHM,
    ...validity,
    extensions: [new x509.BasicConstraintsExtension(true, undefined, true)],
  });
  const caFile = join(folder, "ca.crt");
  await writeFile(caFile, ca.toString("pem"));
  const writeKey = async (name: string): Promise<string> => {
    const file = join(folder, `${name}.key`);
    await writeFile(file, await pemOf((await generateKeys()).privateKey), { mode: 0o600 });
    return file;
  };
  return {
    caFile,
    writeKey,
    issue: async (name, { user, groups = [], serves = [] }) => {
      const own = await generateKeys();
      const names = serves.map((value) => ({
        type: /^[\d.]+$/.test(value) ? ("ip" as const) : ("dns" as const),
        value,
      }));
      const certificate = await x509.X509CertificateGenerator.create({
        subject: [{ CN: [user] }, ...groups.map((group) => ({ O: [group] }))],
        issuer: ca.subject,
        publicKey: own.publicKey,
        signingKey: keys.privateKey,
        signingAlgorithm: ALGORITHM,
        ...validity,
        extensions: names.length === 0 ? [] : [new x509.SubjectAlternativeNameExtension(names)],
      });
      const files = {
        caFile,
        certFile: join(folder, `${name}.crt`),
        keyFile: join(folder, `${name}.key`),
      };
      await writeFile(files.certFile, certificate.toString("pem"));
      await writeFile(files.keyFile, await pemOf(own.privateKey), { mode: 0o600 });
      return files;
    },
  };
}

function generateKeys(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
}

async function pemOf(key: webcrypto.CryptoKey): Promise<string> {
  const der = await webcrypto.subtle.exportKey("pkcs8", key);
  return x509.PemConverter.encode(der, "PRIVATE KEY");
}

function inAnHour(): Date {
  return new Date(Date.now() + 3_600_000);
}
