import { generateKeyPairSync } from "node:crypto";
import { beforeAll, describe, expect, test } from "@jest/globals";
import { type Credential, Sealed } from "#pilot/model/credential.ts";
import { objectKey } from "#pilot/model/name.ts";
import { Authority, type Certificate } from "#test/features/certificates.ts";
import { certificateOf, trustOf } from "./credential-content.ts";

function credential(fields: Record<string, string>): Credential {
  const data = Object.entries(fields).map(([name, text]): [string, Sealed] => [
    name,
    new Sealed(Buffer.from(text).toString("base64")),
  ]);
  const key = objectKey("Secret", "default", "web");
  return {
    kind: "Credential",
    key,
    namespace: "default",
    name: "web",
    data: Object.fromEntries(data),
  };
}

function reasonOf(result: ReturnType<typeof certificateOf>): string {
  return result.ok ? "ok" : result.reason;
}

describe("certificates of Secrets", () => {
  let authority: Authority;
  let one: Certificate;
  let other: Certificate;

  beforeAll(async () => {
    authority = await Authority.create("test");
    one = await authority.issue("one.example.org");
    other = await authority.issue("other.example.org");
  });

  const keyOf = (type: "rsa" | "ec" | "ed25519"): string => {
    const { privateKey } =
      type === "rsa"
        ? generateKeyPairSync("rsa", { modulusLength: 1024 })
        : type === "ec"
          ? generateKeyPairSync("ec", { namedCurve: "secp256k1" })
          : generateKeyPairSync("ed25519");
    return privateKey.export({ type: "pkcs8", format: "pem" });
  };

  test("are taken in both forms, a chain before its text too", () => {
    const pair = { "tls.crt": one.cert, "tls.key": one.key };
    expect(reasonOf(certificateOf(credential(pair)))).toBe("ok");
    expect(reasonOf(certificateOf(credential({ cert: one.cert, key: one.key })))).toBe("ok");
    const chain = `Bag Attributes\n${one.cert}\n${authority.cert}\n`;
    expect(reasonOf(certificateOf(credential({ ...pair, "tls.crt": chain })))).toBe("ok");
  });

  test.each<[string, () => Record<string, string>, string]>([
    ["nothing", () => ({}), "SecretIncomplete"],
    ["no key", () => ({ "tls.crt": one.cert }), "SecretIncomplete"],
    ["no PEM", () => ({ "tls.crt": "x", "tls.key": one.key }), "InvalidCertificate"],
    [
      "a broken certificate in the chain",
      () => ({
        "tls.crt": `${one.cert}\n-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n`,
        "tls.key": one.key,
      }),
      "InvalidCertificate",
    ],
    ["no key in it", () => ({ "tls.crt": one.cert, "tls.key": one.cert }), "InvalidKey"],
    ["another's key", () => ({ "tls.crt": one.cert, "tls.key": other.key }), "KeyMismatch"],
    ["a short key", () => ({ "tls.crt": one.cert, "tls.key": keyOf("rsa") }), "InvalidKey"],
    ["an unusual curve", () => ({ "tls.crt": one.cert, "tls.key": keyOf("ec") }), "InvalidKey"],
    ["Ed25519", () => ({ "tls.crt": one.cert, "tls.key": keyOf("ed25519") }), "InvalidKey"],
  ])("with %s are refused", (_name, fields, reason) => {
    const result = certificateOf(credential(fields()));
    expect(reasonOf(result)).toBe(reason);
    expect(JSON.stringify(result)).not.toContain("PRIVATE KEY");
  });

  test("of authorities need one, and a list of revocations that is one", () => {
    expect(reasonOf(trustOf(credential({ "ca.crt": authority.cert })))).toBe("ok");
    expect(reasonOf(trustOf(credential({ cacert: authority.cert, crl: "x" })))).toBe(
      "InvalidRevocations",
    );
    expect(reasonOf(trustOf(credential({ "tls.crt": one.cert })))).toBe("SecretIncomplete");
    expect(reasonOf(trustOf(credential({ "ca.crt": "x" })))).toBe("InvalidCertificate");
  });
});
