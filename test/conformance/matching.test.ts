/** VirtualService, http[].match. */

import { test } from "@jest/globals";
import { describeMesh, virtualService } from "./harness.ts";

const host = "web.example.org";
const to = (subset: string): string =>
  `route: [{ destination: { host: web.example.org, subset: ${subset} } }]`;
const rule = (match: string): string =>
  virtualService(`
  hosts: [web.example.org]
  http:
  - match: [${match}]
    ${to("v2")}
  - ${to("v1")}`);

describeMesh("a match", (mesh) => {
  const takes = async (match: string, yes: object, no: object): Promise<void> => {
    mesh.apply(rule(match));
    await mesh.answers({ host, ...yes }, { workload: "web-v2" });
    await mesh.answers({ host, ...no }, { workload: "web-v1" });
  };

  test("of a prefix takes paths that begin with it, within a segment too", () =>
    takes("{ uri: { prefix: /api } }", { path: "/apis?x" }, { path: "/x/api" }));

  test("of an exact path leaves the query aside", () =>
    takes("{ uri: { exact: /api } }", { path: "/api?x=1" }, { path: "/api/" }));

  test("of a pattern takes the whole path", () =>
    takes("{ uri: { regex: '/v[0-9]' } }", { path: "/v1" }, { path: "/v12" }));

  test("ignores the case of paths where it is asked to", () =>
    takes("{ uri: { prefix: /Api }, ignoreUriCase: true }", { path: "/aPI" }, { path: "/ap" }));

  test("of headers needs all of them", () =>
    takes(
      "{ headers: { a: { exact: '1' }, b: {} } }",
      { headers: { a: "1", b: "x" } },
      { headers: { a: "1" } },
    ));

  test("without headers takes requests that have none such", () =>
    takes("{ withoutHeaders: { a: { exact: '1' } } }", { headers: {} }, { headers: { a: "1" } }));

  test("of a query parameter looks at its value", () =>
    takes("{ queryParams: { q: { exact: x } } }", { path: "/?q=x" }, { path: "/?q=y" }));

  test("of a method takes no other", () =>
    takes("{ method: { exact: POST } }", { method: "POST" }, { method: "GET" }));

  test("of labels of the source is the client's own", () =>
    takes("{ sourceLabels: { app: client }, uri: { prefix: /a } }", { path: "/a" }, { path: "/" }));

  test("is one of several, and the first rule wins", () =>
    takes("{ uri: { exact: /a } }, { uri: { exact: /b } }", { path: "/b" }, { path: "/c" }));
});
