import { inspect, isDeepStrictEqual } from "node:util";
import { describe, expect, test } from "@jest/globals";
import { Sealed, credentialResource, parseCredential, trustResource } from "./credential.ts";

describe("names of credentials", () => {
  test("become resources as in Istio", () => {
    expect(credentialResource("web")).toBe("kubernetes://web");
    expect(credentialResource("kubernetes-gateway://a/web")).toBe("kubernetes-gateway://a/web");
    expect(trustResource("web")).toBe("kubernetes://web-cacert");
    expect(trustResource("configmap://a/web")).toBe("configmap://a/web");
  });

  test.each([
    ["kubernetes://web", "default", ["Secret/default/web"]],
    ["kubernetes://other/web", "other", ["Secret/other/web"]],
    ["kubernetes-gateway://other/web", "other", ["Secret/other/web"]],
    ["kubernetes://web-cacert", "default", ["Secret/default/web-cacert", "Secret/default/web"]],
    ["configmap://other/web-cacert", "other", ["ConfigMap/other/web"]],
  ])("%s is kept in namespace %s as %j", (resource, namespace, keys) => {
    expect(parseCredential(resource, "default")).toMatchObject({ namespace, keys });
  });

  test.each(["web", "kubernetes://", "kubernetes://a/b/c", "configmap://web", "file-cert:a~b"])(
    "%j stands for nothing",
    (resource) => expect(parseCredential(resource, "default")).toBeUndefined(),
  );
});

describe("sealed bytes", () => {
  const text = Buffer.from("a private key").toString("base64");

  test("are compared by content and never shown", () => {
    const sealed = new Sealed(text);
    expect(isDeepStrictEqual(sealed, new Sealed(text))).toBe(true);
    expect(isDeepStrictEqual(sealed, new Sealed("AAAA"))).toBe(false);
    const shown = `${JSON.stringify({ sealed })} ${inspect(sealed, { showHidden: true })}`;
    expect(shown).not.toContain(text);
    expect(sealed.reveal()).toBe(text);
  });
});
