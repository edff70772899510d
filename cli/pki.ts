/** The cluster's certificate authority and every certificate that its processes present. */

import "reflect-metadata";
import { X509Certificate, createPrivateKey, webcrypto } from "node:crypto";
import { readFile } from "node:fs/promises";
import path from "node:path";
import * as x509 from "@peculiar/x509";
import type { ClusterNetwork, PkiFiles } from "#cluster/api/process-config.ts";
import { UsageError, isMissing, writeAtomically } from "./state.ts";

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256" } as const;
const SIGNING = { name: "ECDSA", hash: "SHA-256" } as const;
const DAY_MS = 86_400_000;
const CA_DAYS = 3650;
const LEAF_DAYS = 365;
/** A certificate with less time left is made anew at the next `up`. */
const RENEW_DAYS = 30;

/** Who a certificate is for. */
export interface Subject {
  /** File name without ending. */
  file: string;
  commonName: string;
  organization?: string;
  /** DNS names and IP addresses; a certificate with any is for serving too. */
  serverNames?: { dns: string[]; ip: string[] };
}

interface Authority {
  certificate: x509.X509Certificate;
  key: CryptoKey;
}

/** All certificates of a cluster; node names index the node's own. */
export interface ClusterPki {
  caFile: string;
  caKeyFile: string;
  caPem: string;
  serviceAccountKeyFile: string;
  apiServer: PkiFiles;
  apiServerKubeletClient: PkiFiles;
  admin: PkiFiles;
  controlPlane: PkiFiles;
  pilotClient: PkiFiles;
  pilotServing: PkiFiles;
  webhook: PkiFiles;
  dnsClient: PkiFiles;
  kubeletClient: Record<string, PkiFiles>;
  kubeletServing: Record<string, PkiFiles>;
}

export interface PkiOptions {
  dir: string;
  network: ClusterNetwork;
  /** First address of the service range, the `kubernetes` Service. */
  kubernetesAddress: string;
  nodes: { name: string; address: string }[];
}

/** Reads what is still good in `dir` and makes the rest. */
export async function ensurePki(options: PkiOptions): Promise<ClusterPki> {
  x509.cryptoProvider.set(webcrypto);
  const { dir, network } = options;
  const authority = await ensureAuthority(dir);
  const domain = network.clusterDomain;
  const masters = "system:masters";
  const [files, kubeletClient, kubeletServing] = await Promise.all([
    issueAll(dir, authority, {
      apiServer: {
        file: "apiserver",
        commonName: "kube-apiserver",
        serverNames: {
          dns: ["localhost", ...serviceNames("kubernetes", "default", domain)],
          ip: ["127.0.0.1", network.hostAddress, options.kubernetesAddress],
        },
      },
      apiServerKubeletClient: {
        file: "apiserver-kubelet-client",
        commonName: "kube-apiserver-kubelet-client",
        organization: masters,
      },
      admin: { file: "admin", commonName: "kubernetes-admin", organization: masters },
      controlPlane: {
        file: "control-plane",
        commonName: "system:lateen-control-plane",
        organization: masters,
      },
      pilotClient: {
        file: "pilot-client",
        commonName: "system:lateen-pilot",
        organization: masters,
      },
      pilotServing: {
        file: "pilot",
        commonName: "istiod",
        serverNames: {
          dns: serviceNames("istiod", "istio-system", domain),
          ip: [network.hostAddress],
        },
      },
      webhook: {
        file: "webhook",
        commonName: "sidecar-injector",
        serverNames: { dns: ["localhost"], ip: ["127.0.0.1"] },
      },
      dnsClient: {
        file: "dns-client",
        commonName: "system:lateen-dns",
        organization: masters,
      },
    }),
    issueAll(dir, authority, byNode(options, kubeletClientSubject)),
    issueAll(dir, authority, byNode(options, kubeletServingSubject)),
  ]);
  return {
    caFile: path.join(dir, "ca.crt"),
    caKeyFile: path.join(dir, "ca.key"),
    caPem: authority.certificate.toString("pem"),
    serviceAccountKeyFile: await ensureSigningKey(path.join(dir, "service-account.key")),
    ...files,
    kubeletClient,
    kubeletServing,
  };
}

/** One certificate alone, by the authority in `dir`, which is made where there is none. */
export async function ensureServing(dir: string, subject: Subject): Promise<PkiFiles> {
  x509.cryptoProvider.set(webcrypto);
  return ensureLeaf(dir, await ensureAuthority(dir), subject);
}

type PkiNode = PkiOptions["nodes"][number];

function byNode(
  options: PkiOptions,
  subjectOf: (node: PkiNode) => Subject,
): Record<string, Subject> {
  return Object.fromEntries(options.nodes.map((node) => [node.name, subjectOf(node)]));
}

function kubeletClientSubject({ name }: PkiNode): Subject {
  return {
    file: `kubelet-client-${name}`,
    commonName: `system:node:${name}`,
    organization: "system:nodes",
  };
}

function kubeletServingSubject({ name, address }: PkiNode): Subject {
  return {
    file: `kubelet-serving-${name}`,
    commonName: name,
    serverNames: { dns: [name], ip: [address] },
  };
}

/** All at once: making keys and flushing files take most of the time. */
async function issueAll<K extends string>(
  dir: string,
  authority: Authority,
  subjects: Record<K, Subject>,
): Promise<Record<K, PkiFiles>> {
  const issued = await Promise.all(
    Object.entries<Subject>(subjects).map(
      async ([key, subject]) => [key, await ensureLeaf(dir, authority, subject)] as const,
    ),
  );
  return Object.fromEntries(issued) as Record<K, PkiFiles>;
}

function serviceNames(name: string, namespace: string, domain: string): string[] {
  const short = `${name}.${namespace}`;
  return [name, short, `${short}.svc`, `${short}.svc.${domain}`];
}

async function ensureAuthority(dir: string): Promise<Authority> {
  const certFile = path.join(dir, "ca.crt");
  const keyFile = path.join(dir, "ca.key");
  const [certPem, keyPem] = await Promise.all([readIfThere(certFile), readIfThere(keyFile)]);
  if (certPem !== undefined && keyPem !== undefined) {
    try {
      return { certificate: new x509.X509Certificate(certPem), key: await importKey(keyPem) };
    } catch (cause) {
      throw new UsageError(
        `${certFile} or its key is damaged: restore it, or start anew after \`lateen down --purge\``,
        { cause },
      );
    }
  }
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(),
    name: "CN=lateen-ca",
    ...validity(CA_DAYS),
    signingAlgorithm: SIGNING,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.KeyUsagesExtension(
        x509.KeyUsageFlags.keyCertSign |
          x509.KeyUsageFlags.cRLSign |
          x509.KeyUsageFlags.digitalSignature,
        true,
      ),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  await writeAtomically(keyFile, await exportKey(keys.privateKey));
  await writeAtomically(certFile, `${certificate.toString("pem")}\n`, 0o644);
  return { certificate, key: keys.privateKey };
}

async function ensureLeaf(dir: string, authority: Authority, subject: Subject): Promise<PkiFiles> {
  const files = {
    caFile: path.join(dir, "ca.crt"),
    certFile: path.join(dir, `${subject.file}.crt`),
    keyFile: path.join(dir, `${subject.file}.key`),
  };
  const [certPem, keyPem] = await Promise.all([
    readIfThere(files.certFile),
    readIfThere(files.keyFile),
  ]);
  if (
    certPem !== undefined &&
    keyPem !== undefined &&
    isPair(certPem, keyPem) &&
    (await stillGood(certPem, authority, subject))
  ) {
    return files;
  }
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: serialNumber(),
    subject: distinguishedName(subject),
    issuer: authority.certificate.subject,
    ...validity(LEAF_DAYS),
    signingAlgorithm: SIGNING,
    publicKey: keys.publicKey,
    signingKey: authority.key,
    extensions: leafExtensions(subject),
  });
  await writeAtomically(files.keyFile, await exportKey(keys.privateKey));
  await writeAtomically(files.certFile, `${certificate.toString("pem")}\n`, 0o644);
  return files;
}

function leafExtensions(subject: Subject): x509.Extension[] {
  const usages = [x509.ExtendedKeyUsage.clientAuth];
  const extensions: x509.Extension[] = [
    new x509.BasicConstraintsExtension(false, undefined, true),
    new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
  ];
  if (subject.serverNames !== undefined) {
    usages.push(x509.ExtendedKeyUsage.serverAuth);
    extensions.push(
      new x509.SubjectAlternativeNameExtension([
        ...subject.serverNames.dns.map((value) => ({ type: "dns" as const, value })),
        ...subject.serverNames.ip.map((value) => ({ type: "ip" as const, value })),
      ]),
    );
  }
  return [...extensions, new x509.ExtendedKeyUsageExtension(usages)];
}

/** Whether both can be read and belong together: a start may have been cut off between the two. */
function isPair(certPem: string, keyPem: string): boolean {
  try {
    return new X509Certificate(certPem).checkPrivateKey(createPrivateKey(keyPem));
  } catch {
    return false;
  }
}

async function stillGood(pem: string, authority: Authority, subject: Subject): Promise<boolean> {
  const certificate = new x509.X509Certificate(pem);
  if (certificate.notAfter.getTime() - Date.now() < RENEW_DAYS * DAY_MS) return false;
  const names =
    certificate.getExtension(x509.SubjectAlternativeNameExtension)?.names.toJSON() ?? [];
  const held = names
    .map((name) => name.value)
    .toSorted()
    .join();
  const wanted = [...(subject.serverNames?.dns ?? []), ...(subject.serverNames?.ip ?? [])];
  if (held !== wanted.toSorted().join()) return false;
  return certificate.verify({ publicKey: authority.certificate });
}

function distinguishedName(subject: Subject): x509.JsonName {
  const name: x509.JsonName = [{ CN: [subject.commonName] }];
  return subject.organization === undefined ? name : [{ O: [subject.organization] }, ...name];
}

function validity(days: number): { notBefore: Date; notAfter: Date } {
  const now = Date.now();
  return { notBefore: new Date(now - 300_000), notAfter: new Date(now + days * DAY_MS) };
}

function serialNumber(): string {
  const bytes = Buffer.from(webcrypto.getRandomValues(new Uint8Array(16)));
  bytes[0] = (bytes[0] ?? 0) & 0x7f;
  return bytes.toString("hex");
}

async function ensureSigningKey(file: string): Promise<string> {
  if ((await readIfThere(file)) === undefined) {
    const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
    await writeAtomically(file, await exportKey(keys.privateKey));
  }
  return file;
}

async function exportKey(key: CryptoKey): Promise<string> {
  const der = await webcrypto.subtle.exportKey("pkcs8", key);
  const pem = createPrivateKey({ key: Buffer.from(der), format: "der", type: "pkcs8" });
  return pem.export({ type: "pkcs8", format: "pem" });
}

async function importKey(pem: string): Promise<CryptoKey> {
  const der = createPrivateKey(pem).export({ type: "pkcs8", format: "der" });
  return webcrypto.subtle.importKey("pkcs8", der, ALGORITHM, true, ["sign"]);
}

async function readIfThere(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}
