import { describe, expect, test } from "@jest/globals";
import { BUILT_IN_KINDS } from "#cluster/apiserver/kinds/table.ts";
import { KindTable } from "#cluster/apiserver/registry/kind-table.ts";
import type { Answer } from "#cluster/apiserver/server/answer.ts";
import { Discovery } from "./discovery.ts";
import { compareVersions } from "./resources.ts";

test("versions are ordered by stability, then by number, then the rest by name", () => {
  const shuffled = ["v1beta1", "foo", "v2", "v1alpha1", "v1", "v10", "v1beta2", "bar"];
  expect(shuffled.toSorted(compareVersions).join(" ")).toBe(
    "v10 v2 v1 v1beta2 v1beta1 v1alpha1 bar foo",
  );
});

describe("discovery", () => {
  const kinds = new KindTable(BUILT_IN_KINDS);
  const discovery = new Discovery(kinds);

  function ask(path: string, headers = {}): Extract<Answer, { kind: "bytes" }> {
    const answer = discovery.answer(path, headers);
    if (answer.kind !== "bytes") throw new Error(answer.kind);
    return answer;
  }
  const parsed = (path: string, headers = {}): unknown =>
    JSON.parse(String(ask(path, headers).body));

  test("lists groups, and resources with their subresources", () => {
    const groups = (parsed("/apis") as { groups: { name: string }[] }).groups;
    expect(groups.map(({ name }) => name)).toContain("apps");
    const resources = (parsed("/api/v1") as { resources: { name: string }[] }).resources;
    const names = resources.map(({ name }) => name);
    expect(names).toEqual(expect.arrayContaining(["pods", "pods/log", "pods/exec", "pods/status"]));
    expect(parsed("/apis/apps")).toMatchObject({ preferredVersion: { groupVersion: "apps/v1" } });
  });

  test("is aggregated for those who ask so, in the first version that we have", () => {
    const accept =
      "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json";
    expect(ask("/apis", { accept }).headers["content-type"]).toContain("v=v2;");
    expect(parsed("/api", { accept })).toMatchObject({
      apiVersion: "apidiscovery.k8s.io/v2",
      items: [{ metadata: { name: "" }, versions: [{ version: "v1" }] }],
    });
    expect(ask("/api", { accept: "application/json" }).headers["content-type"]).toBe(
      "application/json",
    );
  });

  test("says 304 until a kind comes or goes", () => {
    const { etag } = ask("/apis").headers;
    const known = { "if-none-match": String(etag) };
    expect(ask("/apis", known)).toMatchObject({ code: 304, body: "" });
    const [first] = BUILT_IN_KINDS;
    if (first === undefined) throw new Error("no kinds");
    kinds.setCustom("widgets.example.org", [{ ...first, group: "example.org", plural: "widgets" }]);
    expect(ask("/apis", known).code).toBe(200);
    expect(parsed("/apis/example.org/v1")).toMatchObject({ resources: [{ name: "widgets" }] });
    kinds.removeCustom("widgets.example.org");
    expect(ask("/apis", known).code).toBe(304);
    expect(() => ask("/apis/example.org")).toThrow("could not find the requested resource");
  });
});
