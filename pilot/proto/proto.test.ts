import { createRequire } from "node:module";
import { describe, expect, test } from "@jest/globals";
import { decode } from "./decode.ts";
import { encode } from "./encode.ts";
import { BackwardWriter } from "./writer.ts";
import { WireReader } from "./reader.ts";

const CLUSTER = "envoy.config.cluster.v3.Cluster";
const ENDPOINTS = "envoy.config.endpoint.v3.ClusterLoadAssignment";

function bytesOf(typeName: string, message: unknown): Buffer {
  const result = encode(typeName, message);
  if (!result.ok) throw new Error(JSON.stringify(result.problems));
  return result.bytes;
}

const roundTrips: { name: string; type: string; message: Record<string, unknown> }[] = [
  { name: "an empty message", type: CLUSTER, message: {} },
  {
    name: "scalars, enums, durations and wrappers",
    type: CLUSTER,
    message: {
      name: "outbound|80||a.example.org",
      type: "EDS",
      connectTimeout: "10.25s",
      perConnectionBufferLimitBytes: 0,
      circuitBreakers: { thresholds: [{ maxConnections: 4294967295, trackRemaining: true }] },
      respectDnsTtl: true,
      commonLbConfig: { healthyPanicThreshold: {} },
    },
  },
  {
    name: "Struct values of every kind",
    type: CLUSTER,
    message: {
      metadata: {
        filterMetadata: { istio: { a: 1.5, b: [true, null, "x", { y: -2 }], c: {}, z: "ü€😀" } },
      },
    },
  },
  {
    name: "an Any inside a map, with an Any of a well-known type",
    type: CLUSTER,
    message: {
      typedExtensionProtocolOptions: {
        "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
          "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
          explicitHttpConfig: { http2ProtocolOptions: {} },
        },
        other: { "@type": "type.googleapis.com/google.protobuf.Duration", value: "3s" },
      },
    },
  },
  {
    name: "repeated messages and packed numbers",
    type: "envoy.config.route.v3.RetryPolicy",
    message: {
      retryOn: "5xx",
      numRetries: 2,
      retriableStatusCodes: [503, 504, 70000],
      perTryTimeout: "-0.000000001s",
      hostSelectionRetryMaxAttempts: "5",
    },
  },
  {
    name: "a list of empty messages",
    type: ENDPOINTS,
    message: { clusterName: "a", endpoints: [{}, { priority: 1 }, {}] },
  },
];

describe("encode and decode", () => {
  test.each(roundTrips)("agree on $name", ({ type, message }) => {
    expect(decode(type, bytesOf(type, message))).toEqual(message);
  });

  test("snake_case names give the same bytes", () => {
    const camel = bytesOf(CLUSTER, { connectTimeout: "1s", lbPolicy: "MAGLEV" });
    expect(bytesOf(CLUSTER, { lb_policy: 5, connect_timeout: "1s" })).toEqual(camel);
  });

  test("the order of keys doesn't matter", () => {
    const one = bytesOf(CLUSTER, { metadata: { filterMetadata: { b: {}, a: {} } }, name: "x" });
    const other = bytesOf(CLUSTER, { name: "x", metadata: { filterMetadata: { a: {}, b: {} } } });
    expect(one).toEqual(other);
  });

  test("defaults are left out, and kept where presence is tracked", () => {
    expect(bytesOf(CLUSTER, { name: "", lbPolicy: "ROUND_ROBIN" })).toHaveLength(0);
    expect(bytesOf(CLUSTER, { type: "STATIC" })).toEqual(Buffer.from([0x10, 0]));
    expect(bytesOf(ENDPOINTS, { policy: { weightedPriorityHealth: false } })).toHaveLength(2);
  });

  test("a large message grows the buffer", () => {
    const clusterName = "ü".repeat(200_000);
    expect(decode(ENDPOINTS, bytesOf(ENDPOINTS, { clusterName }))).toEqual({ clusterName });
  });

  test("protobufjs writes and reads the same bytes", () => {
    const message = {
      cluster_name: "a",
      endpoints: [{ lb_endpoints: [{ endpoint: { hostname: "h" } }, {}], priority: 3 }],
    };
    const protobuf = createRequire(import.meta.url)("protobufjs") as typeof import("protobufjs");
    const source = `syntax = "proto3"; message CLA { string cluster_name = 1; repeated L endpoints = 2; }
      message L { repeated E lb_endpoints = 2; uint32 priority = 5; }
      message E { H endpoint = 1; } message H { string hostname = 3; }`;
    const type = protobuf.parse(source, { keepCase: true }).root.lookupType("CLA");
    const reference = Buffer.from(type.encode(type.fromObject(message)).finish());
    expect(bytesOf(ENDPOINTS, message)).toEqual(reference);
  });
});

const wrong: { name: string; message: unknown; path: string; reason: string }[] = [
  { name: "an unknown field", message: { nope: 1 }, path: "nope", reason: "UnknownField" },
  {
    name: "a number out of range, deep inside",
    message: {
      loadAssignment: { endpoints: [{}, { lbEndpoints: [{ loadBalancingWeight: -1 }] }] },
    },
    path: "loadAssignment.endpoints[1].lbEndpoints[0].loadBalancingWeight",
    reason: "OutOfRange",
  },
  {
    name: "an unknown enum value",
    message: { lbPolicy: "X" },
    path: "lbPolicy",
    reason: "WrongType",
  },
  {
    name: "two members of a oneof",
    message: { type: "EDS", clusterType: {} },
    path: "clusterType",
    reason: "Conflict",
  },
  {
    name: "both spellings",
    message: { lbPolicy: 1, lb_policy: 1 },
    path: "lbPolicy",
    reason: "Conflict",
  },
  {
    name: "a bad duration",
    message: { connectTimeout: "5" },
    path: "connectTimeout",
    reason: "Malformed",
  },
  {
    name: "an Any of an unknown type",
    message: { typedExtensionProtocolOptions: { a: { "@type": "t/no.Such" } } },
    path: 'typedExtensionProtocolOptions["a"]',
    reason: "UnknownType",
  },
  { name: "a list instead of a message", message: [], path: "", reason: "WrongType" },
  {
    name: "a prototype's name",
    message: { toString: 1 },
    path: "toString",
    reason: "UnknownField",
  },
];

describe("encode refuses", () => {
  test.each(wrong)("$name and says where", ({ message, path, reason }) => {
    const result = encode(CLUSTER, message);
    expect(result.ok).toBe(false);
    if (!result.ok) {
      expect(result.problems[0].path.replaceAll('.["', '["')).toBe(path);
      expect(result.problems[0].reason).toBe(reason);
    }
    expect(encode(CLUSTER, { name: "a" })).toEqual({ ok: true, bytes: Buffer.from([10, 1, 97]) });
  });

  test("a cyclic message", () => {
    const metadata: Record<string, unknown> = {};
    const node = {
      "@type": `type.googleapis.com/${CLUSTER}`,
      typedExtensionProtocolOptions: metadata,
    };
    metadata["a"] = node;
    const result = encode(CLUSTER, { typedExtensionProtocolOptions: metadata });
    expect(result.ok).toBe(false);
  });
});

test("integers of every size survive the wire", () => {
  for (const value of [0, 1, 127, 128, 16383, 16384, 2 ** 31, 2 ** 32 - 1, 2 ** 40, 2 ** 53 - 1]) {
    const writer = new BackwardWriter();
    writer.varint(value);
    expect(new WireReader(writer.take(0)).varint()).toBe(value);
    writer.bigVarint(BigInt(-value));
    expect(new WireReader(writer.take(0)).signed(64)).toBe(BigInt(-value));
  }
});

test("truncated bytes are refused", () => {
  const bytes = bytesOf(CLUSTER, { name: "abc", connectTimeout: "1s" });
  for (const length of [1, 2, 4, bytes.length - 1]) {
    expect(() => decode(CLUSTER, bytes.subarray(0, length))).toThrow();
  }
});
