import { describe, expect, test } from "@jest/globals";
import { loadCrds } from "./load.ts";

describe("loadCrds", () => {
  const crds = loadCrds();

  const versionsOf = (name: string): unknown[] =>
    crds
      .find((crd) => crd.metadata.name === name)
      ?.spec.versions.map((v) => [v.name, v.served, v.storage]) ?? [];

  test.each(["destinationrules", "gateways", "serviceentries", "sidecars", "virtualservices"])(
    "%s are stored as v1 and served as the betas, too",
    (plural) => {
      expect(versionsOf(`${plural}.networking.istio.io`)).toEqual([
        ["v1", true, true],
        ["v1beta1", true, false],
        ["v1alpha3", true, false],
      ]);
    },
  );

  test.each([
    ["envoyfilters.networking.istio.io", [["v1alpha3", true, true]]],
    ["proxyconfigs.networking.istio.io", [["v1beta1", true, true]]],
    [
      "telemetries.telemetry.istio.io",
      [
        ["v1", true, true],
        ["v1alpha1", true, false],
      ],
    ],
    ["wasmplugins.extensions.istio.io", [["v1alpha1", true, true]]],
    [
      "httproutes.gateway.networking.k8s.io",
      [
        ["v1", true, true],
        ["v1beta1", true, false],
      ],
    ],
    ...["authorizationpolicies", "peerauthentications", "requestauthentications"].map(
      (plural): [string, unknown] => [
        `${plural}.security.istio.io`,
        [
          ["v1", true, true],
          ["v1beta1", true, false],
        ],
      ],
    ),
  ])("%s have the versions of their APIs", (name, versions) => {
    expect(versionsOf(name)).toEqual(versions);
  });

  test.each([
    ["destinationrules", "dr"],
    ["gateways", "gw"],
    ["serviceentries", "se"],
    ["virtualservices", "vs"],
  ])("the short name of %s is Istio's", (plural, short) => {
    const crd = crds.find((one) => one.metadata.name === `${plural}.networking.istio.io`);
    expect(crd?.spec.names.shortNames).toEqual([short]);
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
