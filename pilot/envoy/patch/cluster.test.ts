/** Operations and matches of clusters; what is refused; what stays the same. */

import { describe, expect, test } from "@jest/globals";
import type { EnvoyResource } from "#pilot/envoy/build.ts";
import { arePatchedAlone, patchResources } from "./apply.ts";
import { decodeFilter } from "./decode.ts";
import { OBJECT, TLS, apply, resource, setOf } from "./testing/harness.ts";

describe("clusters", () => {
  const cluster = (fields: object = {}): EnvoyResource =>
    resource("cluster", { name: "outbound|80|v1|web.example.org", ...fields });
  const inbound = {
    name: "inbound|8080||",
    metadata: { filterMetadata: { istio: { services: [{ host: "web.example.org" }] } } },
  };
  test.each([
    [{ name: "outbound|80|v1|web.example.org" }, {}, true],
    [{ service: "web.example.org" }, {}, true],
    [{ service: "web.example.org", subset: "v2" }, {}, false],
    [{ portNumber: 80, subset: "v1" }, {}, true],
    [{ portNumber: 81 }, {}, false],
    [{ service: "web.example.org", portNumber: 8080 }, inbound, true],
    [{ portNumber: 80 }, { name: "outbound_.80_._.web.example.org" }, true],
  ])("%j of %j: %p", (match, fields, isTouched) => {
    const one = cluster(fields);
    const patch = { applyTo: "CLUSTER", match: { cluster: match }, patch: { operation: "REMOVE" } };
    expect(apply(one, [patch]).resources.length).toBe(isTouched ? 0 : 1);
  });

  test("MERGE replaces values, appends lists, drops the other choice, and keeps its own copy", () => {
    const one = cluster({ connectTimeout: "10s", lbPolicy: "ROUND_ROBIN", type: "EDS" });
    const value = { connect_timeout: "1.5s", cluster_type: { name: "custom" } };
    const patch = { applyTo: "CLUSTER", patch: { operation: "MERGE", value } };
    const { resources } = apply(one, [patch]);
    expect(resources[0]?.message).toEqual({
      name: "outbound|80|v1|web.example.org",
      connectTimeout: "1.5s",
      lbPolicy: "ROUND_ROBIN",
      clusterType: { name: "custom" },
    });
    expect(one.message).toHaveProperty("type", "EDS");
    expect(resources[0]?.unpatched?.resource).toBe(one);
  });

  test("a transport socket is merged inside, in a match as well", () => {
    const name = "envoy.transport_sockets.tls";
    const socket = { name, typedConfig: { "@type": TLS, sni: "old", allowRenegotiation: true } };
    const patch = {
      applyTo: "CLUSTER",
      patch: {
        operation: "MERGE",
        value: { transport_socket: { name, typed_config: { "@type": TLS, sni: "new" } } },
      },
    };
    const after = { name, typedConfig: { "@type": TLS, sni: "new", allowRenegotiation: true } };
    expect(
      apply(cluster({ transportSocket: socket }), [patch]).resources[0]?.message,
    ).toMatchObject({ transportSocket: after });
    const matches = [{ name: "m", transportSocket: socket }];
    expect(
      apply(cluster({ transportSocketMatches: matches }), [patch]).resources[0]?.message,
    ).toMatchObject({ transportSocketMatches: [{ name: "m", transportSocket: after }] });
  });
});

describe("what can't be used is told by its path", () => {
  test.each([
    [{ applyTo: "BOOTSTRAP" }, ".applyTo", /bootstrap/],
    [{ applyTo: "NONSENSE" }, ".applyTo", /one of/],
    [{ applyTo: "CLUSTER", patch: { operation: "REPLACE" } }, ".patch.operation", /cannot be done/],
    [{ applyTo: "CLUSTER", patch: { operation: "ADD" } }, ".patch.value", /missing/],
    [
      { applyTo: "CLUSTER", patch: { operation: "ADD", value: { nam: "x" } } },
      ".patch.value.nam",
      /unknown/,
    ],
    [
      {
        applyTo: "HTTP_FILTER",
        patch: { operation: "ADD", value: { typed_config: { "@type": "t/envoy.api.v2.Cluster" } } },
      },
      ".patch.value.typedConfig",
      /v3/,
    ],
    [
      { applyTo: "CLUSTER", match: { listener: {} }, patch: { operation: "REMOVE" } },
      ".match.listener",
      /CLUSTER/,
    ],
    [
      { applyTo: "CLUSTER", match: { context: "WAYPOINT" }, patch: { operation: "REMOVE" } },
      ".match.context",
      /waypoint/,
    ],
  ])("%j", (source, path, message) => {
    const good = { applyTo: "CLUSTER", patch: { operation: "REMOVE" } };
    const spec = { configPatches: [source, good] };
    const { patches, problems } = decodeFilter({ key: OBJECT, spec });
    expect(patches.map((one) => one !== undefined)).toEqual([false, true]);
    expect(problems).toMatchObject([{ object: OBJECT, path: `spec.configPatches[0]${path}` }]);
    expect(problems[0]?.message).toMatch(message);
  });
});

test("what no patch touches is the same object, and what one does is made once", () => {
  const one = resource("cluster", { name: "outbound|80||a" });
  const other = resource("cluster", { name: "outbound|80||b" });
  const patch = {
    applyTo: "CLUSTER",
    match: { cluster: { service: "b" } },
    patch: { operation: "MERGE", value: { connect_timeout: "1s" } },
  };
  const set = setOf([patch]);
  const first = patchResources([one, other], set, ["cluster"]).resources;
  const second = patchResources([one, other], set, ["cluster"]).resources;
  expect(first[0]).toBe(one);
  expect(first[1]).not.toBe(other);
  expect(second[1]).toBe(first[1]);
});

test("a resource of the name of one that is added has to be looked at with the others", () => {
  const value = { name: "outbound|80||a", type: "STATIC" };
  const set = setOf([{ applyTo: "CLUSTER", patch: { operation: "ADD", value } }]);
  const same = resource("cluster", { name: "outbound|80||a" });
  const other = resource("cluster", { name: "outbound|80||b" });
  expect(arePatchedAlone([other], set)).toBe(true);
  expect(arePatchedAlone([other, same], set)).toBe(false);
  const { resources } = patchResources([same], set, ["cluster"]);
  expect(resources).toEqual([same]);
});
