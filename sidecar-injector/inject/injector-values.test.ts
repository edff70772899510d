import { describe, expect, test } from "@jest/globals";
import { DEFAULT_CONFIG } from "./config.ts";
import { injectorConfig, type InjectorTexts } from "./injector-values.ts";

function read(texts: InjectorTexts) {
  return injectorConfig(texts, DEFAULT_CONFIG);
}

describe("injectorConfig", () => {
  test("without texts it is the default", () => {
    expect(read({})).toEqual({ config: DEFAULT_CONFIG, problems: [] });
    expect(read({ config: "# nothing\n", values: "", mesh: "" }).problems).toEqual([]);
  });

  test("Istio's values are read by their names", () => {
    const { config, problems } = read({
      values: JSON.stringify({
        global: {
          hub: "example.org/istio",
          tag: 1.3,
          imagePullPolicy: "Always",
          network: "n1",
          multiCluster: { clusterName: "east" },
          proxy: {
            image: "proxyv2",
            includeIPRanges: "10.0.0.0/8",
            excludeInboundPorts: "22",
            readinessPeriodSeconds: 3,
            startupProbe: { enabled: false },
            resources: { limits: { cpu: "1" } },
          },
        },
        sidecarInjectorWebhook: { rewriteAppHTTPProbe: false },
        pilot: { env: { ENABLE_NATIVE_SIDECARS: false } },
        somethingElse: {},
      }),
    });
    expect(problems).toEqual([]);
    expect(config).toMatchObject({
      proxyImage: "example.org/istio/proxyv2:1.3",
      imagePullPolicy: "Always",
      network: "n1",
      clusterId: "east",
      traffic: { includeOutboundIPRanges: "10.0.0.0/8", excludeInboundPorts: "22" },
      readiness: { periodSeconds: 3, failureThreshold: 4 },
      startupFailureThreshold: null,
      resources: { limits: { cpu: "1" } },
      rewriteProbes: false,
      nativeSidecar: false,
    });
  });

  test("config has policy, selectors and templates", () => {
    const { config } = read({
      config: `
policy: disabled
defaultTemplates: [sidecar, team]
aliases: { all: [sidecar, team] }
templates: { team: "spec: {hostname: x}" }
neverInjectSelector: [{ matchLabels: { job: "1" } }]
injectedAnnotations: { a: b }
`,
    });
    expect(config).toMatchObject({
      policy: "disabled",
      defaultTemplates: ["sidecar", "team"],
      aliases: { all: ["sidecar", "team"] },
      templates: { team: { spec: { hostname: "x" } } },
      neverInject: [{ matchLabels: { job: "1" } }],
      injectedAnnotations: { a: "b" },
    });
  });

  test("the mesh's configuration counts", () => {
    const { config } = read({
      mesh: "defaultConfig: { concurrency: 3 }\nenablePrometheusMerge: false\ninboundTrafficPolicy: { mode: LOCALHOST }\n",
    });
    expect(config.proxyConfig).toEqual({ concurrency: 3 });
    expect(config.prometheusMerge).toBe(false);
    expect(config.probeDestination).toBe("localhost");
  });

  test.each<[string, InjectorTexts, string]>([
    ["text that is no YAML", { values: "{" }, "values"],
    [
      "a wrong type",
      { values: "global: { proxy: { privileged: very } }" },
      "values.global.proxy.privileged",
    ],
    ["a word that is none", { config: "policy: sometimes" }, "config.policy"],
    [
      "a built-in template",
      { config: "templates: { sidecar: 'spec: {}' }" },
      "config.templates.sidecar",
    ],
    ["a Go template", { config: "templates: { own: '{{ .Spec }}' }" }, "config.templates.own "],
  ])("%s is a problem, and the default holds", (_name, texts, path) => {
    const { config, problems } = read(texts);
    expect(problems.map((one) => one.path)).toEqual([path]);
    expect(config).toEqual(DEFAULT_CONFIG);
  });
});
