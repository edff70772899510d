/** Who has the last word on logs and traces (Istio, "Telemetry"). */

import { describe, expect, test } from "@jest/globals";
import type { AccessLogging, Tracing } from "#crds/types/networking-v1.ts";
import type { ExtensionProvider } from "#pilot/model/extension-provider.ts";
import { DEFAULT_MESH, type MeshConfig } from "#pilot/model/mesh-config.ts";
import { objectKey } from "#pilot/model/name.ts";
import type { Telemetry } from "#pilot/model/object.ts";
import { accessLogsOf } from "./access-logs.ts";
import { tracingOf } from "./tracing.ts";
import type { Viewpoint } from "./viewpoint.ts";

const file = (name: string): ExtensionProvider => ({
  kind: "file-log",
  name,
  path: `/${name}`,
  omitEmptyValues: false,
});
const zipkin = (name: string): ExtensionProvider => ({
  kind: "zipkin",
  name,
  service: "z.example.org",
  port: 9411,
  longTraceId: true,
  path: "/",
});

const MESH: MeshConfig = {
  ...DEFAULT_MESH,
  extensionProviders: [file("a"), file("b"), zipkin("z"), zipkin("far")],
};
const VIEW: Viewpoint = {
  side: "client",
  collectors: ["z"],
  tracedAs: "",
  namespace: "default",
  isGateway: false,
};

function telemetry(spec: Telemetry["spec"], at = 0): Telemetry {
  const [namespace, name] = ["default", `t${at}`];
  return {
    kind: "Telemetry",
    key: objectKey("Telemetry", namespace, name),
    group: "telemetry.istio.io",
    namespace,
    name,
    generation: 1,
    creationTimestamp: "",
    labels: {},
    annotations: {},
    spec,
  };
}

const of = (...names: string[]): { providers: { name: string }[] } => ({
  providers: names.map((name) => ({ name })),
});

describe("access logs", () => {
  const paths = (
    levels: readonly (readonly AccessLogging[])[],
    mesh: Partial<MeshConfig> = {},
    side: Viewpoint["side"] = "client",
  ): unknown => {
    const objects = levels.map((accessLogging, at) =>
      telemetry({ accessLogging: [...accessLogging] }, at),
    );
    const { value } = accessLogsOf({ ...MESH, ...mesh }, objects, { ...VIEW, side });
    return value.map((log) => (log.kind === "file" ? log.path : log.kind));
  };
  const legacy = { accessLogFile: "/legacy" };
  const byDefault = { defaultProviders: { accessLogging: ["a"], tracing: [], metrics: [] } };

  test.each([
    ["nothing", [], {}, []],
    ["the mesh's file", [], legacy, ["/legacy"]],
    ["the default provider instead of it", [], { ...legacy, ...byDefault }, ["/a"]],
    ["a named provider instead of both", [[of("b")]], { ...legacy, ...byDefault }, ["/b"]],
    ["what the narrower level names", [[of("a")], [of("b")]], {}, ["/b"]],
    ["all of one level, by name", [[of("b"), of("a")]], {}, ["/a", "/b"]],
    ["not what a narrower level switches off", [[of("a", "b")], [{ disabled: true }]], {}, []],
    ["not what it switches off by name", [[of("a")], [{ ...of("a"), disabled: true }]], {}, []],
    ["not the mesh's file that is switched off", [[{ disabled: true }]], legacy, []],
    [
      "the other side's rules don't count",
      [[{ ...of("b"), match: { mode: "SERVER" as const } }]],
      legacy,
      ["/legacy"],
    ],
  ])("%s", (_name, levels, mesh, expected) => {
    expect(paths(levels, mesh)).toEqual(expected);
  });

  test("rules of a side", () => {
    const rules = [
      { ...of("a"), match: { mode: "CLIENT" as const } },
      { ...of("b"), match: { mode: "SERVER" as const } },
    ];
    expect(paths([rules])).toEqual(["/a"]);
    expect(paths([rules], {}, "server")).toEqual(["/b"]);
  });

  test("an expression that is none is told, and everything is logged", () => {
    const rule = { ...of("a"), filter: { expression: "response.code >" } };
    const { value, problems } = accessLogsOf(MESH, [telemetry({ accessLogging: [rule] })], VIEW);
    expect(value).toMatchObject([{ path: "/a" }]);
    expect(value[0]?.filter).toBeUndefined();
    expect(problems).toMatchObject([{ path: "spec.accessLogging[0].filter.expression" }]);
  });
});

describe("traces", () => {
  const traced = (rules: readonly Tracing[], side: Viewpoint["side"] = "client") =>
    tracingOf(MESH, [telemetry({ tracing: [...rules] })], { ...VIEW, side });

  test("go to the provider of the side, and the last word counts for each field", () => {
    const rules: Tracing[] = [
      { ...of("z"), randomSamplingPercentage: 10, enableIstioTags: false },
      { match: { mode: "CLIENT" }, randomSamplingPercentage: 0 },
      { match: { mode: "SERVER" }, disableSpanReporting: true },
    ];
    expect(traced(rules).value).toMatchObject({
      provider: { kind: "zipkin", collector: { cluster: "outbound|9411||z.example.org" } },
      samplingPercent: 0,
      tags: [],
    });
    expect(traced(rules, "server").value).toBeUndefined();
  });

  test.each([
    ["far", "UnknownService"],
    ["a", "UnknownProvider"],
    ["nobody", "UnknownProvider"],
  ])("to %s can't go: %s", (name, reason) => {
    const { value, problems } = traced([of(name)]);
    expect(value).toBeUndefined();
    expect(problems).toMatchObject([{ reason, path: "spec.tracing[0].providers" }]);
  });
});
