/** EnvoyFilter: operations on each part of what the client's Envoy gets. */

import { expect, test } from "@jest/globals";
import { describeMesh, istio, virtualService } from "./harness.ts";

const host = "web.example.org";
const other = { host: "other.example.org", address: "192.0.2.2" };
const patch = (name: string, applyTo: string, match: string, change: string, top = ""): string =>
  istio(
    "EnvoyFilter",
    name,
    `
  ${top}
  configPatches:
  - applyTo: ${applyTo}
    match: { context: SIDECAR_OUTBOUND, ${match} }
    patch: ${change}`,
  ).replace("networking.istio.io/v1\n", "networking.istio.io/v1alpha3\n");
const adds = (value: string): string =>
  `response_headers_to_add: [{ header: { key: x-patched, value: "${value}" }, append_action: OVERWRITE_IF_EXISTS_OR_ADD }]`;
const patched = (value: string): object => ({ headers: { "x-patched": value } });
const untouched = (headers: object): boolean => !("x-patched" in headers);
const routes = virtualService(`
  hosts: [${host}]
  http:
  - { name: first, match: [{ uri: { exact: /first } }], route: [{ destination: { host: ${host} } }] }
  - { name: rest, route: [{ destination: { host: ${host} } }] }`);
const routed = (route: string): string =>
  `routeConfiguration: { vhost: { name: "${host}:80", route: { ${route} } } }`;
const router = (operation: string, value: string): string =>
  `{ operation: ${operation}, value: { name: test.patched, typed_config: { "@type": type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua, default_source_code: { inline_string: 'function envoy_on_response(handle) handle:headers():replace("x-patched", "${value}") end' } } } }`;
const httpFilter = (name: string): string =>
  `listener: { filterChain: { filter: { name: envoy.filters.network.http_connection_manager, subFilter: { name: ${name} } } } }`;

describeMesh("an EnvoyFilter", (mesh) => {
  const leaves = async (call: { host: string; path?: string }): Promise<void> => {
    expect(untouched((await mesh.call(call)).headers)).toBe(true);
  };

  test("merges into all routes of a port", async () => {
    const match = `routeConfiguration: { portNumber: 80 }`;
    mesh.apply(
      patch("all", "ROUTE_CONFIGURATION", match, `{ operation: MERGE, value: { ${adds("all")} } }`),
    );
    await mesh.answers({ host }, patched("all"));
    await mesh.answers(other, patched("all"));
  });

  test("merges into the one host that it matches", async () => {
    const match = `routeConfiguration: { vhost: { name: "${host}:80" } }`;
    mesh.apply(
      patch("host", "VIRTUAL_HOST", match, `{ operation: MERGE, value: { ${adds("host")} } }`),
    );
    await mesh.answers({ host }, patched("host"));
    await leaves(other);
  });

  test("merges into the route of the name that it matches", async () => {
    const change = `{ operation: MERGE, value: { ${adds("route")} } }`;
    mesh.apply(routes + patch("route", "HTTP_ROUTE", routed("name: first"), change));
    await mesh.answers({ host, path: "/first" }, patched("route"));
    await leaves({ host, path: "/second" });
  });

  test("inserts a route before all others", async () => {
    const value = "{ match: { path: /first }, direct_response: { status: 201 } }";
    const change = `{ operation: INSERT_FIRST, value: ${value} }`;
    mesh.apply(routes + patch("insert", "HTTP_ROUTE", routed("name: first"), change));
    await mesh.answers({ host, path: "/first" }, { status: 201 });
    await mesh.answers({ host, path: "/second" }, { status: 200 });
  });

  test("removes a route", async () => {
    const change = "{ operation: REMOVE }";
    mesh.apply(routes + patch("remove", "HTTP_ROUTE", routed("name: rest"), change));
    await mesh.answers({ host, path: "/second" }, { status: 404 });
    await mesh.answers({ host, path: "/first" }, { status: 200 });
  });

  test("inserts a filter before another, which a later one replaces", async () => {
    const inserted = router("INSERT_BEFORE", "inserted");
    mesh.apply(patch("a", "HTTP_FILTER", httpFilter("envoy.filters.http.router"), inserted));
    await mesh.answers({ host }, patched("inserted"));
    const replaced = router("REPLACE", "replaced");
    mesh.apply(patch("b", "HTTP_FILTER", httpFilter("test.patched"), replaced, "priority: 10"));
    await mesh.answers({ host }, patched("replaced"));
  });

  test("is for the workloads that it selects", async () => {
    const match = `routeConfiguration: { portNumber: 80 }`;
    const change = (value: string): string => `{ operation: MERGE, value: { ${adds(value)} } }`;
    const of = (app: string): string => `workloadSelector: { labels: { app: ${app} } }`;
    const all = "ROUTE_CONFIGURATION";
    mesh.apply(
      patch("mine", all, match, change("mine"), of("client")) +
        patch("theirs", all, match, change("theirs"), `${of("nobody")}\n  priority: 10`),
    );
    await mesh.answers({ host }, patched("mine"));
  });
});
