import { describe, expect, test } from "@jest/globals";
import { DEFAULT_CONFIG } from "./config.ts";
import { nodeMetadata } from "./metadata.ts";
import { type ProxySettings, readSettings } from "./settings.ts";

function read(annotations: Record<string, string>, gateway = false) {
  const result = readSettings({ annotations, config: DEFAULT_CONFIG, gateway });
  if (!result.ok) throw new Error(JSON.stringify(result.problems));
  return result.settings;
}

function problemsOf(annotations: Record<string, string>): [string, string][] {
  const result = readSettings({ annotations, config: DEFAULT_CONFIG, gateway: false });
  return result.ok ? [] : result.problems.map(({ path, message }) => [path, message]);
}

describe("readSettings", () => {
  test("without annotations everything is redirected, with the administrator's defaults", () => {
    const settings = read({});
    expect(settings.redirect).toEqual({
      includeInboundPorts: "all",
      excludeInboundPorts: [15_090, 15_021, 15_020],
      includeOutboundPorts: [],
      excludeOutboundPorts: [],
      includeOutboundCidrs: "all",
      excludeOutboundCidrs: [],
      excludeInterfaces: [],
      virtualInterfaces: [],
      proxyUid: 1337,
    });
    expect(settings.native).toBe(true);
    expect(settings.resources).toEqual(DEFAULT_CONFIG.resources);
  });

  test("set but empty means nothing, as in Istio", () => {
    const { redirect } = read({
      "traffic.sidecar.istio.io/includeInboundPorts": "",
      "traffic.sidecar.istio.io/includeOutboundIPRanges": "",
    });
    expect(redirect.includeInboundPorts).toEqual([]);
    expect(redirect.includeOutboundCidrs).toEqual([]);
  });

  test("ports and networks are lists; host bits of a network are cleared", () => {
    const { redirect } = read({
      "traffic.sidecar.istio.io/excludeInboundPorts": "4, 5",
      "traffic.sidecar.istio.io/excludeOutboundPorts": "25",
      "traffic.sidecar.istio.io/excludeOutboundIPRanges": "10.96.0.2/24,192.0.2.7",
    });
    expect(redirect.excludeInboundPorts).toEqual([15_090, 15_021, 15_020, 4, 5]);
    expect(redirect.excludeOutboundPorts).toEqual([25]);
    expect(redirect.excludeOutboundCidrs).toEqual(["10.96.0.0/24", "192.0.2.7/32"]);
  });

  test("one resource annotation replaces all defaults", () => {
    expect(read({ "sidecar.istio.io/proxyCPU": "100m" }).resources).toEqual({
      requests: { cpu: "100m" },
    });
  });

  test("proxy.istio.io/config is a YAML ProxyConfig", () => {
    const settings = read({
      "proxy.istio.io/config": "concurrency: 3\ndrainDuration: 30s\ntracing: {}\n",
    });
    expect([settings.concurrency, settings.drainSeconds]).toEqual([3, 30]);
  });

  test("discovery on demand is asked for by name, and told to pilot", () => {
    const settings = read({ "proxy.istio.io/config": "discovery: on-demand" });
    const identity = { name: "app", owner: "", canonicalName: "app", canonicalRevision: "1" };
    const spec = { containers: [] };
    const told = (of: ProxySettings): unknown =>
      nodeMetadata(spec, { identity, labels: {}, settings: of })["DISCOVERY"];
    expect([told(settings), told(read({}))]).toEqual(["on-demand", undefined]);
    expect(problemsOf({ "proxy.istio.io/config": "discovery: some" })).toEqual([
      ["metadata.annotations[proxy.istio.io/config]", expect.stringContaining("all or on-demand")],
    ]);
  });

  test("the gateway template has no redirect and more threads", () => {
    const settings = read({}, true);
    expect([settings.interception, settings.native, settings.concurrency]).toEqual([
      "NONE",
      false,
      2,
    ]);
  });

  test("all wrong values are told at once, each with its annotation", () => {
    const problems = problemsOf({
      "sidecar.istio.io/logLevel": "loud",
      "sidecar.istio.io/proxyCPU": "much",
      "sidecar.istio.io/interceptionMode": "TPROXY",
      "traffic.sidecar.istio.io/excludeInboundPorts": "80,http,70000",
      "traffic.sidecar.istio.io/excludeOutboundIPRanges": "10.0.0.0/33",
      "proxy.istio.io/config": "concurrency: many",
    });
    expect(problems.map(([path]) => path)).toEqual([
      "metadata.annotations[proxy.istio.io/config]",
      "metadata.annotations[sidecar.istio.io/logLevel]",
      "metadata.annotations[sidecar.istio.io/proxyCPU]",
      "metadata.annotations[sidecar.istio.io/interceptionMode]",
      "metadata.annotations[traffic.sidecar.istio.io/excludeInboundPorts]",
      "metadata.annotations[traffic.sidecar.istio.io/excludeInboundPorts]",
      "metadata.annotations[traffic.sidecar.istio.io/excludeOutboundIPRanges]",
    ]);
    expect(problems[0]?.[1]).toContain("whole number");
  });

  test("text that is no YAML is a problem, not a crash", () => {
    expect(problemsOf({ "proxy.istio.io/config": "{" })[0]?.[1]).toContain("is not YAML");
  });
});
