import { describe, expect, test } from "@jest/globals";
import { DEFAULT_SETTINGS, parseIngressSettings } from "./settings.ts";

describe("settings of Ingresses", () => {
  test("are Istio's where nothing is said, or nothing that can be read", () => {
    for (const text of [undefined, "", "ingressClass: 7", "[", "text"]) {
      expect(parseIngressSettings(text)).toEqual(DEFAULT_SETTINGS);
    }
  });

  test("choose pods by the name of another Service, unless a selector is given", () => {
    expect(parseIngressSettings("ingressService: edge")).toMatchObject({
      service: "edge",
      selector: "edge",
    });
    expect(parseIngressSettings("ingressService: edge\ningressSelector: mine").selector).toBe(
      "mine",
    );
  });

  test("name the class and how strictly it is meant", () => {
    const text = "ingressClass: mesh\ningressControllerMode: DEFAULT";
    expect(parseIngressSettings(text)).toMatchObject({ className: "mesh", mode: "DEFAULT" });
  });
});
