/** Certificates for tests, made on the spot: an authority, and what it signs. */

import "reflect-metadata";
import { webcrypto } from "node:crypto";
import {
  BasicConstraintsExtension,
  type Extension,
  SubjectAlternativeNameExtension,
  X509CertificateGenerator,
} from "@peculiar/x509";

export interface Certificate {
  /** PEM. */
  readonly cert: string;
  readonly key: string;
}

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };

type Keys = webcrypto.CryptoKeyPair;

/** Signs any number of certificates; valid for an hour from now. */
export class Authority {
  readonly cert: string;
  readonly #keys: Keys;
  readonly #name: string;
  #serial = 1;

  private constructor(name: string, keys: Keys, cert: string) {
    this.#name = name;
    this.#keys = keys;
    this.cert = cert;
  }

  static async create(name: string): Promise<Authority> {
    const keys = await generateKeys();
    const extensions = [new BasicConstraintsExtension(true, undefined, true)];
    const { cert } = await sign({
      name,
      issuer: name,
      keys,
      signingKey: keys,
      serial: 1,
      extensions,
    });
    return new Authority(name, keys, cert);
  }

  async issue(hostname: string): Promise<Certificate> {
    const keys = await generateKeys();
    return sign({
      name: hostname,
      issuer: this.#name,
      keys,
      signingKey: this.#keys,
      serial: ++this.#serial,
      extensions: [new SubjectAlternativeNameExtension([{ type: "dns", value: hostname }])],
    });
  }
}

interface SignOptions {
  readonly name: string;
  readonly issuer: string;
  readonly keys: Keys;
  readonly signingKey: Keys;
  readonly serial: number;
  readonly extensions: Extension[];
}

async function generateKeys(): Promise<Keys> {
  return webcrypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
}

async function sign(options: SignOptions): Promise<Certificate> {
  const nowMs = Date.now();
  const certificate = await X509CertificateGenerator.create({
    subject: `CN=${options.name}`,
    issuer: `CN=${options.issuer}`,
    serialNumber: options.serial.toString(16).padStart(2, "0"),
    notBefore: new Date(nowMs - 60_000),
    notAfter: new Date(nowMs + 3_600_000),
    signingAlgorithm: ALGORITHM,
    publicKey: options.keys.publicKey,
    signingKey: options.signingKey.privateKey,
    extensions: options.extensions,
  });
  const pkcs8 = Buffer.from(await webcrypto.subtle.exportKey("pkcs8", options.keys.privateKey));
  const body = pkcs8.toString("base64").replaceAll(/(.{64})/g, "$1\n");
  return {
    cert: certificate.toString("pem"),
    key: `-----BEGIN PRIVATE KEY-----\n${body}\n-----END PRIVATE KEY-----\n`,
  };
}
