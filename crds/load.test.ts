import { describe, expect, test } from "@jest/globals";
import { loadCrds } from "./load.ts";

describe("loadCrds", () => {
  const crds = loadCrds();

  test("gives the five kinds of this mesh, v1 stored and the betas served", () => {
    expect(crds.map((crd) => crd.metadata.name)).toEqual([
      "destinationrules.networking.istio.io",
      "gateways.networking.istio.io",
      "serviceentries.networking.istio.io",
      "sidecars.networking.istio.io",
      "virtualservices.networking.istio.io",
    ]);
    for (const crd of crds) {
      expect(crd.spec.versions.map((v) => [v.name, v.served, v.storage])).toEqual([
        ["v1", true, true],
        ["v1beta1", true, false],
        ["v1alpha3", true, false],
      ]);
    }
  });

  test("short names are Istio's", () => {
    expect(crds.map((crd) => crd.spec.names.shortNames)).toEqual([
      ["dr"],
      ["gw"],
      ["se"],
      undefined,
      ["vs"],
    ]);
  });

  test("the copies share nothing, although the files use anchors", () => {
    const [first] = loadCrds();
    const [v1, v1beta1] = first?.spec.versions ?? [];
    expect(v1?.schema).toEqual(v1beta1?.schema);
    expect(v1?.schema).not.toBe(v1beta1?.schema);
  });

  test("every pattern compiles and is anchored at its start", () => {
    for (const crd of crds) {
      for (const [, pattern] of JSON.stringify(crd).matchAll(/"pattern":"((?:[^"\\]|\\.)*)"/g)) {
        const text = JSON.parse(`"${pattern ?? ""}"`) as string;
        expect(text === "/" || text.startsWith("^")).toBe(true);
        expect(() => new RegExp(text)).not.toThrow();
      }
    }
  });
});
