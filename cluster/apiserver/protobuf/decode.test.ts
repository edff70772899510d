import { readFileSync } from "node:fs";
import { describe, expect, test } from "@jest/globals";
import protobuf from "protobufjs";
import { isObject } from "#cluster/apiserver/schema/json.ts";
import { decodeProtobuf } from "./decode.ts";

interface Case {
  name: string;
  base64: string;
  object: Record<string, unknown>;
}

/** Written by client-go 0.36's own serializer, with its own JSON beside each body. */
const CASES = JSON.parse(
  readFileSync(new URL("testdata/bodies.json", import.meta.url), "utf8"),
) as Case[];

/** Go's JSON has some fields that are empty and mean nothing; neither side's count. */
function withoutEmpty(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutEmpty);
  if (!isObject(value)) return value;
  const entries = Object.entries(value)
    .map(([key, member]) => [key, withoutEmpty(member)] as const)
    .filter(([, member]) => member !== "" && member !== null && member !== undefined)
    .filter(([, member]) => !isObject(member) || Object.keys(member).length > 0);
  return Object.fromEntries(entries);
}

describe("bodies that client-go writes", () => {
  test.each(CASES)("$name has the same JSON as in Go", ({ base64, object }) => {
    const decoded = decodeProtobuf(Buffer.from(base64, "base64"));
    if (!decoded.ok) throw new Error(decoded.message);
    expect(withoutEmpty(decoded.object)).toEqual(withoutEmpty(object));
  });

  test.each(CASES)("$name, cut off anywhere, never throws", ({ base64 }) => {
    const body = Buffer.from(base64, "base64");
    for (let length = 0; length < body.length; length += 1) {
      expect(typeof decodeProtobuf(body.subarray(0, length)).ok).toBe("boolean");
    }
  });
});

describe("other bodies", () => {
  const envelope = (fields: (writer: protobuf.Writer) => void): Uint8Array => {
    const writer = protobuf.Writer.create();
    fields(writer);
    return Buffer.concat([Buffer.from("k8s\0"), writer.finish()]);
  };
  const typeMeta = (apiVersion: string, kind: string): Uint8Array =>
    protobuf.Writer.create().uint32(10).string(apiVersion).uint32(18).string(kind).finish();

  test("text is refused", () => {
    expect(decodeProtobuf(Buffer.from('{"kind":"Pod"}'))).toMatchObject({
      ok: false,
      message: expect.stringContaining("protobuf marker"),
    });
  });

  test("an unknown kind is refused by name", () => {
    const body = envelope((writer) => writer.uint32(10).bytes(typeMeta("example.org/v1", "Foo")));
    expect(decodeProtobuf(body)).toEqual({
      ok: false,
      message: "no kind Foo of example.org/v1 is known as protobuf",
    });
  });

  test("JSON inside the envelope is read as JSON", () => {
    const json = Buffer.from('{"apiVersion":"v1","kind":"ConfigMap","data":{"a":"b"}}');
    const body = envelope((writer) =>
      writer.uint32(18).bytes(json).uint32(34).string("application/json"),
    );
    expect(decodeProtobuf(body)).toMatchObject({ ok: true, object: { data: { a: "b" } } });
  });

  test("an empty value of a map is kept", () => {
    const [configMap] = CASES;
    const decoded = decodeProtobuf(Buffer.from(configMap?.base64 ?? "", "base64"));
    expect(decoded).toMatchObject({ ok: true, object: { data: { empty: "" } } });
  });

  test("a map key __proto__ is a key like any other", () => {
    const [configMap] = CASES;
    const decoded = decodeProtobuf(Buffer.from(configMap?.base64 ?? "", "base64"));
    if (!decoded.ok) throw new Error(decoded.message);
    const { labels } = decoded.object.metadata;
    expect(Object.getPrototypeOf(labels)).toBe(Object.prototype);
    expect(Object.keys(labels ?? {})).toContain("__proto__");
  });

  test("a message nested without end is refused", () => {
    const schema = (depth: number): Uint8Array => {
      let inner: Uint8Array = new Uint8Array();
      for (let level = 0; level < depth; level += 1) {
        // JSONSchemaProps.not is field 28.
        inner = protobuf.Writer.create()
          .uint32((28 << 3) | 2)
          .bytes(inner)
          .finish();
      }
      return inner;
    };
    const wrap = (number: number, inner: Uint8Array): Uint8Array =>
      protobuf.Writer.create()
        .uint32((number << 3) | 2)
        .bytes(inner)
        .finish();
    // spec (2), versions (7), schema (4), openAPIV3Schema (1)
    const crd = wrap(2, wrap(7, wrap(4, wrap(1, schema(500)))));
    const meta = typeMeta("apiextensions.k8s.io/v1", "CustomResourceDefinition");
    const body = envelope((writer) => writer.uint32(10).bytes(meta).uint32(18).bytes(crd));
    expect(decodeProtobuf(body)).toMatchObject({
      ok: false,
      message: expect.stringContaining("nested too deeply"),
    });
  });
});
