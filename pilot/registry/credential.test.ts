import { describe, expect, test } from "@jest/globals";
import { convertSecret, convertTrustMap } from "./credential.ts";

const metadata = { name: "web", namespace: "default" };
const encode = (text: string): string => Buffer.from(text).toString("base64");

describe("Secrets as credentials", () => {
  test("keep the fields of certificates, from both ways to write them", () => {
    const secret = {
      metadata,
      data: { "tls.crt": encode("chain"), password: encode("x"), "ca.crt": "" },
      stringData: { "tls.key": "key" },
    };
    const converted = convertSecret(secret);
    expect(Object.keys(converted?.data ?? {})).toEqual(["tls.crt", "tls.key"]);
    expect(converted?.data["tls.key"]?.reveal()).toBe(encode("key"));
  });

  test("are not made of what is never a certificate, and keep nothing that isn't base64", () => {
    expect(convertSecret({ metadata, type: "helm.sh/release.v1" })).toBeUndefined();
    expect(convertSecret({ metadata, data: { "tls.crt": "*" } })?.data).toEqual({});
  });

  test("come from ConfigMaps only as authorities", () => {
    const data = { "ca.crt": "authority", "tls.key": "key" };
    expect(Object.keys(convertTrustMap({ metadata, data })?.data ?? {})).toEqual(["ca.crt"]);
    expect(convertTrustMap({ metadata, data: { other: "text" } })).toBeUndefined();
  });
});
