import { describe, expect, test } from "@jest/globals";
import { parseRequestInfo, type RequestInfo } from "#cluster/apiserver/server/request.ts";
import { authorize, refusal, rulesOf } from "./authorize.ts";
import { ANONYMOUS, AUTHENTICATED, MASTERS, NODES, type User } from "./user.ts";

const USERS: Record<string, User> = {
  admin: { name: "admin", groups: [MASTERS, AUTHENTICATED] },
  node: { name: "system:node:a", groups: [NODES, AUTHENTICATED] },
  robot: { name: "system:serviceaccount:default:default", groups: [AUTHENTICATED] },
  anonymous: ANONYMOUS,
};

function infoOf(request: string): RequestInfo {
  const [method = "", target = ""] = request.split(" ");
  const url = new URL(target, "https://example.org");
  const info = parseRequestInfo(method, url.pathname, url.searchParams);
  if (info === undefined) throw new Error(request);
  return info;
}

const REVIEW = "POST /apis/authorization.k8s.io/v1/selfsubjectaccessreviews";

describe("authorization", () => {
  test.each([
    ["GET /readyz", "admin node robot anonymous"],
    ["GET /version", "admin node robot anonymous"],
    ["GET /apis/apps/v1", "admin node robot"],
    ["GET /metrics", "admin"],
    [REVIEW, "admin node robot"],
    ["GET /api/v1/namespaces/default/pods", "admin node"],
    ["GET /api/v1/secrets?watch=true", "admin node"],
    ["PUT /api/v1/nodes/a/status", "admin node"],
    ["PATCH /api/v1/namespaces/default/pods/p/status", "admin node"],
    ["POST /api/v1/namespaces/default/serviceaccounts/default/token", "admin node"],
    ["POST /api/v1/namespaces/default/secrets", "admin"],
    ["POST /api/v1/namespaces/default/pods/p/exec", "admin"],
    ["DELETE /apis/apps/v1/namespaces/default/deployments/d", "admin"],
  ])("lets nobody but the right ones do %s", (request, allowed) => {
    const who = Object.entries(USERS).filter(([, user]) => authorize(user, infoOf(request)));
    expect(who.map(([name]) => name).join(" ")).toBe(allowed);
  });

  test.each([
    [
      "GET /api/v1/namespaces/default/pods",
      'pods is forbidden: User "system:serviceaccount:default:default" cannot list resource "pods" in API group "" in the namespace "default"',
    ],
    [
      "PUT /apis/apps/v1/namespaces/other/deployments/d/scale",
      'deployments.apps "d" is forbidden: User "system:serviceaccount:default:default" cannot update resource "deployments/scale" in API group "apps" in the namespace "other"',
    ],
    [
      "GET /api/v1/nodes",
      'nodes is forbidden: User "system:serviceaccount:default:default" cannot list resource "nodes" in API group "" at the cluster scope',
    ],
    [
      "GET /metrics",
      'forbidden: User "system:serviceaccount:default:default" cannot get path "/metrics"',
    ],
  ])("refuses %s in Kubernetes' words", (request, message) => {
    expect(refusal(USERS.robot ?? ANONYMOUS, infoOf(request)).message).toBe(message);
  });
});

describe("the rules of a user", () => {
  test("name what authorize allows, and nothing else", () => {
    for (const user of Object.values(USERS)) {
      for (const { apiGroups, resources, verbs } of rulesOf(user).resourceRules) {
        const [plural = "", subresource = ""] = (resources[0] ?? "").split("/");
        if (plural === "*") continue;
        for (const verb of verbs) {
          const info = { group: apiGroups[0] ?? "", version: "v1", namespace: "", name: "" };
          const asked = { kind: "resource", ...info, plural, subresource, verb } as RequestInfo;
          expect([user.name, asked, authorize(user, asked) !== undefined]).toEqual([
            user.name,
            asked,
            true,
          ]);
        }
      }
    }
    expect(rulesOf(ANONYMOUS).resourceRules).toEqual([]);
    expect(rulesOf(USERS["admin"] ?? ANONYMOUS).resourceRules[0]?.verbs).toEqual(["*"]);
  });
});
