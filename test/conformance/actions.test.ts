/** VirtualService, http[]: rewrite, redirect, directResponse, headers, cors, delegate. */

import { expect, test } from "@jest/globals";
import { describeMesh, istio, virtualService } from "./harness.ts";

const host = "web.example.org";
const route = "route: [{ destination: { host: web.example.org } }]";
const rule = (fields: string): string =>
  virtualService(`
  hosts: [web.example.org]
  http:
  - ${fields}`);

describeMesh("a rule", (mesh) => {
  test("rewrites the prefix that it matched, and keeps the rest", async () => {
    mesh.apply(rule(`{ match: [{ uri: { prefix: /old } }], rewrite: { uri: /new }, ${route} }`));
    await mesh.answers({ host, path: "/old/a?b=c" }, { path: "/new/a?b=c" });
  });

  test("rewrites by a pattern with groups", async () => {
    const rewrite = String.raw`{ uriRegexRewrite: { match: "^/([^/]+)/(.*)$", rewrite: '/\2/\1' } }`;
    mesh.apply(rule(`{ rewrite: ${rewrite}, ${route} }`));
    await mesh.answers({ host, path: "/a/b?c" }, { path: "/b/a?c" });
  });

  test("rewrites the authority", async () => {
    mesh.apply(rule(`{ rewrite: { authority: inner.example.org }, ${route} }`));
    await mesh.answers({ host }, { seen: { host: "inner.example.org" } });
  });

  test("redirects with what it names, and keeps what it doesn't", async () => {
    mesh.apply(rule("{ redirect: { uri: /to, scheme: https, redirectCode: 308 } }"));
    const location = "https://web.example.org/to?q=1";
    await mesh.answers({ host, path: "/x?q=1" }, { status: 308, headers: { location } });
  });

  test("answers by itself", async () => {
    mesh.apply(rule("{ directResponse: { status: 418, body: { string: tea } } }"));
    await mesh.answers({ host }, { status: 418 });
    const before = [...mesh.calls];
    await mesh.call({ host });
    expect([...mesh.calls]).toEqual(before);
  });

  test("sets, adds and removes headers both ways", async () => {
    const request = "{ set: { a: new }, remove: [b] }";
    mesh.apply(
      rule(`{ headers: { request: ${request}, response: { add: { c: "3" } } }, ${route} }`),
    );
    const call = { host, headers: { a: "old", b: "2" } };
    await mesh.answers(call, { seen: { a: "new" }, headers: { c: "3" } });
    expect((await mesh.call(call)).seen).not.toHaveProperty("b");
  });

  test("answers preflights of allowed origins", async () => {
    const cors =
      "{ allowOrigins: [{ exact: 'https://a.example.org' }], allowMethods: [PUT], maxAge: 24h }";
    mesh.apply(rule(`{ corsPolicy: ${cors}, ${route} }`));
    const headers = { origin: "https://a.example.org", "access-control-request-method": "PUT" };
    await mesh.answers(
      { host, method: "OPTIONS", headers },
      {
        status: 200,
        headers: {
          "access-control-allow-origin": "https://a.example.org",
          "access-control-allow-methods": "PUT",
          "access-control-max-age": "86400",
        },
      },
    );
  });

  test("goes on in another rule, whose matches narrow its own", async () => {
    mesh.apply(
      rule("{ match: [{ uri: { prefix: /team } }], delegate: { name: team, namespace: other } }"),
    );
    mesh.apply(
      istio(
        "VirtualService",
        "team",
        `
  http:
  - { match: [{ uri: { prefix: /team/a } }], directResponse: { status: 201 } }
  - { directResponse: { status: 202 } }`,
        "other",
      ),
    );
    await mesh.answers({ host, path: "/team/a" }, { status: 201 });
    await mesh.answers({ host, path: "/team/b" }, { status: 202 });
    await mesh.answers({ host, path: "/else" }, { status: 404 });
  });
});
