import { describe, expect, test } from "@jest/globals";
import { isOurs } from "./ingress-class.ts";
import { DEFAULT_SETTINGS } from "./settings.ts";

const ours = { metadata: { name: "mesh" }, spec: { controller: "istio.io/ingress-controller" } };
const byDefault = {
  ...ours,
  metadata: {
    name: "mesh",
    annotations: { "ingressclass.kubernetes.io/is-default-class": "true" },
  },
};
const other = { metadata: { name: "nginx" }, spec: { controller: "k8s.io/ingress-nginx" } };

describe("isOurs", () => {
  test.each([
    ["a class of our controller", { ingressClassName: "mesh" }, undefined, [ours], true],
    ["another's class", { ingressClassName: "nginx" }, undefined, [ours, other], false],
    ["a class that doesn't exist", { ingressClassName: "gone" }, undefined, [ours], false],
    ["no class, ours the default", {}, undefined, [byDefault], true],
    ["no class, no default", {}, undefined, [ours], false],
    ["the annotation", {}, "istio", [], true],
    ["another's annotation over our class", { ingressClassName: "mesh" }, "nginx", [ours], false],
  ])("%s", (_name, spec, annotation, classes, expected) => {
    const annotations =
      annotation === undefined ? undefined : { "kubernetes.io/ingress.class": annotation };
    expect(isOurs({ metadata: { name: "one", annotations }, spec }, classes)).toBe(expected);
  });

  test("the mesh's settings name the annotation's class, and take Ingresses without one or none", () => {
    const metadata = { name: "one" };
    const annotations = { "kubernetes.io/ingress.class": "mesh" };
    const mesh = { ...DEFAULT_SETTINGS, className: "mesh" };
    expect(isOurs({ metadata: { ...metadata, annotations } }, [], mesh)).toBe(true);
    expect(isOurs({ metadata }, [], { ...DEFAULT_SETTINGS, mode: "DEFAULT" })).toBe(true);
    expect(isOurs({ metadata }, [byDefault], { ...DEFAULT_SETTINGS, mode: "OFF" })).toBe(false);
  });
});
