import { describe, expect, test } from "@jest/globals";
import { YamlFile } from "./yaml-file.ts";

const service = (name: string): string =>
  `apiVersion: v1\nkind: Service\nmetadata: {name: ${name}, namespace: default}\n`;

const wrong: { name: string; text: string; problem: object }[] = [
  {
    name: "bad YAML",
    text: `${service("a")}---\na: [1\nb: 2\n`,
    problem: { document: 2, field: "", message: expect.stringContaining("indentation") },
  },
  { name: "no kind", text: "apiVersion: v1\n", problem: { document: 1, field: "kind" } },
  {
    name: "a name that is none",
    text: `---\n${service("a")}---\n${service("A/../b")}`,
    problem: { document: 2, field: "metadata.name" },
  },
  { name: "a scalar", text: "hello\n", problem: { document: 1, message: "is not an object" } },
  {
    name: "what the schema refuses",
    text: service("refused"),
    problem: { document: 1, field: "spec.x", message: "no" },
  },
  {
    name: "an item of a list",
    text: "apiVersion: v1\nkind: List\nitems: [{kind: Service}]\n",
    problem: { document: 1, field: "items[0].apiVersion" },
  },
];

describe("a YAML file", () => {
  const file = (): YamlFile =>
    new YamlFile((object) =>
      object.metadata.name === "refused" ? [{ field: "spec.x", message: "no" }] : [],
    );

  test("gives the objects of all documents and lists", () => {
    const list = `apiVersion: v1\nkind: ServiceList\nitems:\n- {apiVersion: v1, kind: Service, metadata: {name: c}}\n`;
    const { objects, problems } = file().parse(
      `# first\n--- # a comment\n${service("a")}---\n---\n${service("b")}\n---\n${list}`,
    );
    expect(objects.map((object) => object.metadata.name)).toEqual(["a", "b", "c"]);
    expect(problems).toEqual([]);
  });

  test("parses only documents that changed", () => {
    const one = file();
    const [a] = one.parse(`${service("a")}---\n${service("b")}`).objects;
    const [again] = one.parse(`${service("a")}---\n${service("c")}`).objects;
    expect(again).toBe(a);
  });

  test.each(wrong)("names document and field of $name", ({ text, problem }) => {
    const { problems } = file().parse(text);
    expect(problems).toMatchObject([problem]);
  });
});
