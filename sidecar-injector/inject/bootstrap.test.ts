import { describe, expect, test } from "@jest/globals";
import { spawnSync } from "node:child_process";
import { type ProxiedApp, bootstrapText } from "./bootstrap.ts";
import { DEFAULT_CONFIG } from "./config.ts";
import { readSettings } from "./settings.ts";

const envoy = process.env.ENVOY_PATH;

function text(
  metadata: Record<string, unknown> = {},
  app: ProxiedApp = { probes: [] },
  annotations: Record<string, string> = {},
): string {
  const node = { type: "sidecar" as const, serviceCluster: "app.default", metadata };
  const read = readSettings({ annotations, config: DEFAULT_CONFIG, gateway: false });
  if (!read.ok) throw new Error(JSON.stringify(read.problems));
  return bootstrapText(node, app, read.settings, DEFAULT_CONFIG);
}

const PROBED: ProxiedApp = {
  probes: [
    { path: "/app-health/a/livez", httpGet: { path: "/live?a=$(HOME)", port: 80 } },
    { path: "/app-health/a/readyz", httpGet: { port: 443, scheme: "HTTPS" } },
    { path: "/app-health/b/livez", tcpSocket: { port: 9000 }, periodSeconds: 1 },
    { path: "/app-health/b/readyz", grpc: { port: 9001, service: "ready" }, timeoutSeconds: 3 },
  ],
  scrape: { port: 9090, path: "/metrics" },
};

describe("bootstrapText", () => {
  test("asks for everything over one delta stream, and waits for it", () => {
    const bootstrap = JSON.parse(text()) as Record<string, Record<string, object>>;
    expect(bootstrap.dynamic_resources?.ads_config).toMatchObject({ api_type: "DELTA_GRPC" });
    expect(bootstrap.dynamic_resources?.lds_config).toMatchObject({ initial_fetch_timeout: "0s" });
  });

  test("the discovery server is checked by name and by the namespace's authority", () => {
    const bootstrap = text();
    expect(bootstrap).toContain('"sni":"istiod.istio-system.svc"');
    expect(bootstrap).toContain('"filename":"/var/run/secrets/istio/root-cert.pem"');
    expect(bootstrap).toContain('"exact":"istiod.istio-system.svc"');
  });

  test("only what is written here is expanded by the kubelet", () => {
    expect(text({ WORKLOAD_NAME: "$(POD_IP)" })).toContain('"WORKLOAD_NAME":"$$(POD_IP)"');
  });

  test.each([
    ["cluster.outbound|443||api.example.org;.upstream_rq_200", "outbound|443||api.example.org"],
    [
      "cluster.outbound|9080|v1|reviews.default.svc.cluster.local.upstream_rq_200",
      "outbound|9080|v1|reviews.default.svc.cluster.local",
    ],
    ["cluster.xds-grpc.upstream_cx_total", "xds-grpc"],
  ])("the cluster's name in %s is a tag", (stat, name) => {
    const { stats_config: stats } = JSON.parse(text()) as {
      stats_config: { stats_tags: { tag_name: string; regex: string }[] };
    };
    const tag = stats.stats_tags.find(({ tag_name: tagName }) => tagName === "cluster_name");
    expect(new RegExp(tag?.regex ?? "").exec(stat)?.[2]).toBe(name);
  });

  test("an app's probes and metrics are data of the bootstrap, never its variables", () => {
    const bootstrap = text({}, PROBED);
    expect(bootstrap).toContain('"prefix_rewrite":"/live?a=$$(HOME)"');
    expect(bootstrap).toContain('"host_rewrite_literal":"$(INSTANCE_IP):80"');
    expect(bootstrap).toContain('"path":"/metrics"');
  });

  test("runtime values and stat tags of the ProxyConfig are there", () => {
    const config =
      "runtimeValues: {a.b: true}\nextraStatTags: [request_host]\nproxyAdminPort: 15500";
    const bootstrap = text({}, undefined, { "proxy.istio.io/config": config });
    expect(bootstrap).toContain('"a.b":"true"');
    expect(bootstrap).toContain('"tag_name":"request_host"');
    expect(bootstrap).toContain('"port_value":15500');
    expect(bootstrap).not.toContain('"port_value":15000');
  });

  (envoy === undefined ? test.skip : test)("the real Envoy accepts it", () => {
    const tags = { "sidecar.istio.io/extraStatTags": "request_host" };
    const args = text({}, PROBED, tags)
      .replaceAll("$(INSTANCE_IP)", "192.0.2.1")
      .replace("/var/run/secrets/istio/root-cert.pem", "/etc/ssl/certs/ca-certificates.crt");
    const run = spawnSync(envoy ?? "", ["--mode", "validate", "--config-yaml", args], {
      encoding: "utf8",
    });
    expect(run.stderr).not.toContain("Deprecated");
    expect(run.stdout).toContain("OK");
  });
});
