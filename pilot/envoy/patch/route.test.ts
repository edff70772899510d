/** Operations and matches of route configurations, virtual hosts and routes. */

import { describe, expect, test } from "@jest/globals";
import { type Patched, patchResources } from "./apply.ts";
import { apply, resource, setOf } from "./testing/harness.ts";

describe("routes", () => {
  const routes = {
    name: "80",
    virtualHosts: [
      {
        name: "web:80",
        domains: ["web", "web.example.org"],
        routes: [
          { name: "first", route: { cluster: "a" } },
          { name: "second", redirect: { hostRedirect: "b" } },
        ],
      },
      { name: "other:80", domains: ["other"], routes: [{ name: "first", directResponse: {} }] },
    ],
  };
  const host = (vhost: object): object => ({ routeConfiguration: { vhost } });
  const names = (patched: Patched): unknown =>
    (patched.resources as unknown as { message: typeof routes }[])[0]?.message.virtualHosts.map(
      (one) => [one.name, ...(one.routes ?? []).map((route) => route.name)],
    );
  const web = ["web:80", "first", "second"];
  const other = ["other:80", "first"];
  const mine = { name: "mine", match: { prefix: "/" }, route: { cluster: "x" } };
  const toSecond = host({ name: "web:80", route: { name: "second" } });
  test.each([
    ["VIRTUAL_HOST", "REMOVE", host({ name: "web:80" }), [other]],
    ["VIRTUAL_HOST", "REMOVE", host({ domainName: "other" }), [web]],
    ["VIRTUAL_HOST", "REMOVE", { routeConfiguration: { portNumber: 81 } }, [web, other]],
    ["VIRTUAL_HOST", "REMOVE", { routeConfiguration: { name: "80" } }, []],
    ["VIRTUAL_HOST", "ADD", {}, [web, other, ["mine"]]],
    ["VIRTUAL_HOST", "REPLACE", host({ name: "web:80" }), [["mine"], other]],
    [
      "HTTP_ROUTE",
      "REMOVE",
      host({ route: { name: "first" } }),
      [["web:80", "second"], ["other:80"]],
    ],
    ["HTTP_ROUTE", "REMOVE", host({ route: { action: "REDIRECT" } }), [["web:80", "first"], other]],
    ["HTTP_ROUTE", "REMOVE", host({ route: { action: "DIRECT_RESPONSE" } }), [web, ["other:80"]]],
    ["HTTP_ROUTE", "REMOVE", host({ route: { action: "ROUTE" } }), [["web:80", "second"], other]],
    ["HTTP_ROUTE", "ADD", host({ name: "web:80" }), [[...web, "mine"], other]],
    [
      "HTTP_ROUTE",
      "INSERT_FIRST",
      host({ name: "web:80" }),
      [["web:80", "mine", "first", "second"], other],
    ],
    ["HTTP_ROUTE", "INSERT_BEFORE", toSecond, [["web:80", "first", "mine", "second"], other]],
    ["HTTP_ROUTE", "INSERT_AFTER", toSecond, [["web:80", "first", "second", "mine"], other]],
    ["HTTP_ROUTE", "INSERT_FIRST", toSecond, [["web:80", "mine", "first", "second"], other]],
    ["HTTP_ROUTE", "INSERT_FIRST", host({ name: "web:80", route: { name: "no" } }), [web, other]],
  ])("%s %s at %j", (applyTo, operation, match, expected) => {
    const value = applyTo === "HTTP_ROUTE" ? mine : { name: "mine", domains: ["m"], routes: [] };
    const patch = { applyTo, match, patch: { operation, value } };
    const one = resource("route", { ...routes });
    const got = names(apply(one, [patch])) as unknown[][];
    expect(got.map((entry) => entry.filter(Boolean))).toEqual(expected);
  });

  test("MERGE changes every level", () => {
    const merged = apply(resource("route", routes), [
      {
        applyTo: "ROUTE_CONFIGURATION",
        patch: { operation: "MERGE", value: { request_headers_to_remove: ["x"] } },
      },
      {
        applyTo: "VIRTUAL_HOST",
        match: host({ name: "web:80" }),
        patch: { operation: "MERGE", value: { domains: ["more"] } },
      },
      {
        applyTo: "HTTP_ROUTE",
        match: host({ route: { action: "ROUTE" } }),
        patch: { operation: "MERGE", value: { route: { timeout: "3s" } } },
      },
    ]);
    expect(merged.resources[0]?.message).toMatchObject({
      requestHeadersToRemove: ["x"],
      virtualHosts: [
        {
          domains: ["web", "web.example.org", "more"],
          routes: [{ route: { cluster: "a", timeout: "3s" } }, { name: "second" }],
        },
        { name: "other:80" },
      ],
    });
    expect(merged.resources[0]?.origins.map(({ path }) => path)).toEqual([
      "spec.configPatches[0]",
      "spec.configPatches[1]",
      "spec.configPatches[2]",
    ]);
  });

  test.each([
    ["http.8080", { portNumber: 80 }, true],
    ["http.8080", { portNumber: 8080 }, false],
    ["https.443.web.gw.default", { gateway: "default/gw", portName: "web" }, true],
    ["https.443.web.gw.default", { gateway: "default/other" }, false],
    ["https.443.web.gw.default", { portNumber: 443 }, true],
  ])("of a gateway: %s is %j: %p", (name, match, isTouched) => {
    const set = setOf(
      [
        {
          applyTo: "ROUTE_CONFIGURATION",
          match: { routeConfiguration: match },
          patch: { operation: "MERGE", value: { request_headers_to_remove: ["x"] } },
        },
      ],
      "GATEWAY",
      new Map([[8080, new Set([80])]]),
    );
    const one = resource("route", { name });
    expect(patchResources([one], set, ["route"]).resources[0] !== one).toBe(isTouched);
  });

  test("hosts that travel alone are patched as if they were inside", () => {
    const set = setOf([
      {
        applyTo: "VIRTUAL_HOST",
        patch: { operation: "ADD", value: { name: "m", domains: ["m"] } },
      },
      {
        applyTo: "VIRTUAL_HOST",
        match: host({ name: "web:80" }),
        patch: { operation: "MERGE", value: { domains: ["more"] } },
      },
    ]);
    const frame = resource("route", { name: "80", vhds: {} } as { name: string });
    const alone = resource("virtual-host", { name: "80/web:80", domains: ["w"] } as {
      name: string;
    });
    const { resources } = patchResources([frame, alone], set, ["route", "virtual-host"]);
    expect(resources[0]).toBe(frame);
    expect(resources.slice(1).map((one) => [one.name, one.message])).toEqual([
      ["80/m", { name: "80/m", domains: ["m"] }],
      ["80/web:80", { name: "80/web:80", domains: ["w", "more"] }],
    ]);
  });
});
