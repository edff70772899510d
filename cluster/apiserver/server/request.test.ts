import { describe, expect, test } from "@jest/globals";
import { parseRequestInfo } from "./request.ts";

const CASES: [string, string, string][] = [
  ["GET /api/v1/pods", "list pods in all", ""],
  ["GET /api/v1/namespaces/a/pods", "list pods in a", ""],
  ["GET /api/v1/namespaces/a/pods?watch=1", "watch pods in a", ""],
  ["GET /api/v1/watch/namespaces/a/pods", "watch pods in a", ""],
  ["GET /api/v1/namespaces/a/pods/p", "get pods/p in a", ""],
  ["GET /api/v1/namespaces/a/pods/p/log?watch=true", "get pods/p in a", "log"],
  ["POST /api/v1/namespaces/a/pods", "create pods in a", ""],
  ["PUT /api/v1/namespaces/a/pods/p/status", "update pods/p in a", "status"],
  ["DELETE /api/v1/namespaces/a/pods", "deletecollection pods in a", ""],
  ["DELETE /api/v1/namespaces/a", "delete namespaces/a in a", ""],
  ["PUT /api/v1/namespaces/a/finalize", "update namespaces/a in a", "finalize"],
  ["GET /api/v1/namespaces", "list namespaces in all", ""],
  ["PATCH /apis/apps/v1/namespaces/a/deployments/d", "patch apps.deployments/d in a", ""],
  ["GET /apis/apps/v1/deployments", "list apps.deployments in all", ""],
];

describe("a request's path", () => {
  test.each(CASES)("%s asks to %s", (line, meaning, subresource) => {
    const [method = "", target = ""] = line.split(" ");
    const url = new URL(target, "https://example.org");
    const info = parseRequestInfo(method, url.pathname, url.searchParams);
    if (info?.kind !== "resource") throw new Error("not a resource");
    const resource = `${info.group === "" ? "" : `${info.group}.`}${info.plural}`;
    const object = info.name === "" ? resource : `${resource}/${info.name}`;
    expect(`${info.verb} ${object} in ${info.namespace || "all"}`).toBe(meaning);
    expect(info.subresource).toBe(subresource);
  });

  test.each(["/", "/version", "/api", "/api/v1", "/apis/apps", "/apis/apps/v1", "/openapi/v3"])(
    "%s is no resource",
    (path) => {
      const info = parseRequestInfo("GET", path, new URLSearchParams());
      expect(info).toEqual({ kind: "path", verb: "get", path });
    },
  );

  test.each(["%zz", "namespaces/a%2Fb/pods", "namespaces/../pods", "nodes/%2e%2e"])(
    "that hides something is refused: %s",
    (path) => {
      expect(parseRequestInfo("GET", `/api/v1/${path}`, new URLSearchParams())).toBeUndefined();
    },
  );
});
