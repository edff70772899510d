import { describe, expect, test } from "@jest/globals";
import type { Container } from "#cluster/api/generated/core-v1.ts";
import { DEFAULT_CONFIG } from "./config.ts";
import type { PodInput } from "./pod-input.ts";
import { type Injection, inject } from "./inject.ts";
import { redirectRuleset } from "./redirect.ts";
import { readSettings } from "./settings.ts";

const POD: PodInput = {
  metadata: {
    generateName: "reviews-v1-5d9c7b-",
    labels: { app: "reviews", version: "v1", "pod-template-hash": "5d9c7b" },
    ownerReferences: [
      {
        apiVersion: "apps/v1",
        kind: "ReplicaSet",
        name: "reviews-v1-5d9c7b",
        uid: "1",
        controller: true,
      },
    ],
  },
  spec: {
    containers: [
      {
        name: "reviews",
        image: "example.org/reviews",
        ports: [{ name: "http", containerPort: 9080 }],
        readinessProbe: { httpGet: { path: "/health", port: 9080 } },
      },
    ],
    initContainers: [{ name: "migrate", image: "example.org/migrate" }],
  },
};

type Injected = Extract<Injection, { kind: "injected" }>;

function injected(pod: PodInput, namespace = "default"): Injected {
  const result = inject(pod, { namespace, namespaceLabels: { "istio-injection": "enabled" } });
  if (result.kind !== "injected") throw new Error(JSON.stringify(result));
  return result;
}

function withAnnotations(annotations: Record<string, string>, pod = POD): PodInput {
  return { ...pod, metadata: { ...pod.metadata, annotations } };
}

function proxyOf(result: Injected): Container {
  const { initContainers = [], containers } = result.pod.spec ?? { containers: [] };
  const proxy = [...initContainers, ...containers].find(({ name }) => name === "istio-proxy");
  if (proxy === undefined) throw new Error("the pod has no proxy");
  return proxy;
}

interface Bootstrap {
  node: { id: string; cluster: string; metadata: Record<string, unknown> };
}

function bootstrapOf(result: Injected): Bootstrap {
  const args = proxyOf(result).args ?? [];
  return JSON.parse(args[args.indexOf("--config-yaml") + 1] ?? "") as Bootstrap;
}

describe("inject", () => {
  test("puts the redirect and Envoy before the pod's own init containers", () => {
    const { spec } = injected(POD).pod;
    expect(spec?.initContainers?.map(({ name, restartPolicy }) => [name, restartPolicy])).toEqual([
      ["istio-init", undefined],
      ["istio-proxy", "Always"],
      ["migrate", undefined],
    ]);
    expect(spec?.containers.map(({ name }) => name)).toEqual(["reviews"]);
  });

  test("Envoy runs without rights, is ready on 15021 and holds the app back until then", () => {
    const proxy = proxyOf(injected(POD));
    expect(proxy.securityContext).toEqual({
      allowPrivilegeEscalation: false,
      privileged: false,
      readOnlyRootFilesystem: true,
      runAsUser: 1337,
      runAsGroup: 1337,
      runAsNonRoot: true,
      capabilities: { drop: ["ALL"] },
    });
    const httpGet = { path: "/healthz/ready", port: 15_021 };
    expect(proxy.startupProbe).toMatchObject({ httpGet, periodSeconds: 1 });
    expect(proxy.readinessProbe).toMatchObject({ httpGet });
  });

  test("the node says who it is by Istio's names", () => {
    const { node } = bootstrapOf(injected(POD));
    expect(node.id).toBe(
      "sidecar~$(INSTANCE_IP)~$(POD_NAME).$(POD_NAMESPACE)~$(POD_NAMESPACE).svc.cluster.local",
    );
    expect(node.cluster).toBe("reviews.default");
    expect(node.metadata).toMatchObject({
      WORKLOAD_NAME: "reviews-v1",
      OWNER: "kubernetes://apis/apps/v1/namespaces/default/deployments/reviews-v1",
      APP_CONTAINERS: "reviews",
      POD_PORTS: '[{"name":"http","containerPort":9080}]',
      NAMESPACE: "$(POD_NAMESPACE)",
      INTERCEPTION_MODE: "REDIRECT",
      LABELS: { app: "reviews", "service.istio.io/canonical-name": "reviews" },
    });
  });

  test("every $( of the bootstrap is a variable of the container", () => {
    const proxy = proxyOf(injected(POD));
    const names = (proxy.env ?? []).map(({ name }) => name);
    const used = [...(proxy.args ?? []).join(" ").matchAll(/\$\(([A-Z_]+)\)/g)].map(([, n]) => n);
    expect(used.length).toBeGreaterThan(4);
    expect(used.filter((name) => !names.includes(name ?? ""))).toEqual([]);
  });

  test("data of the pod can't become a variable", () => {
    const pod: PodInput = {
      ...POD,
      spec: { containers: [{ name: "$(POD_NAME)", image: "example.org/a" }] },
    };
    expect(bootstrapOf(injected(pod)).node.metadata.APP_CONTAINERS).toBe("$$(POD_NAME)");
  });

  test("labels and annotations are Istio's", () => {
    const { metadata } = injected(POD).pod;
    expect(metadata?.labels).toMatchObject({
      "service.istio.io/canonical-name": "reviews",
      "service.istio.io/canonical-revision": "v1",
      "security.istio.io/tlsMode": "istio",
    });
    expect(metadata?.annotations).toMatchObject({
      "kubectl.kubernetes.io/default-container": "reviews",
      "prometheus.io/port": "15020",
      "istio.io/rev": "default",
    });
  });

  test("a workload's long name is cut to a label", () => {
    const name = `${"x".repeat(62)}-more`;
    const { labels } = injected({ metadata: { name }, spec: POD.spec }).pod.metadata ?? {};
    expect(labels?.["service.istio.io/canonical-name"]).toBe("x".repeat(62));
  });

  test("the patch changes only metadata and spec members, and never the input", () => {
    const before = JSON.stringify(POD);
    const { patch } = injected(POD);
    expect(patch.map(({ op, path }) => [op, path])).toEqual([
      ["add", "/metadata/annotations"],
      ["add", "/metadata/labels"],
      ["add", "/spec/containers"],
      ["add", "/spec/initContainers"],
      ["add", "/spec/volumes"],
    ]);
    expect(JSON.stringify(POD)).toBe(before);
  });

  test("interception NONE has no redirect", () => {
    const { pod } = injected(withAnnotations({ "sidecar.istio.io/interceptionMode": "NONE" }));
    expect(pod.spec?.initContainers?.map(({ name }) => name)).toEqual(["istio-proxy", "migrate"]);
  });

  test("nativeSidecar false puts Envoy beside the containers, and it waits at its end", () => {
    const { pod } = injected(withAnnotations({ "sidecar.istio.io/nativeSidecar": "false" }));
    expect(pod.spec?.containers.map(({ name }) => name)).toEqual(["reviews", "istio-proxy"]);
    const [, proxy] = pod.spec?.containers ?? [];
    expect(proxy?.restartPolicy).toBeUndefined();
    expect(proxy?.lifecycle?.preStop?.exec?.command?.at(-1)).toContain("; sleep 5");
  });

  test("fields of an authored istio-proxy win over the injected ones", () => {
    const authored: Container = {
      name: "istio-proxy",
      image: "auto",
      resources: { limits: { cpu: "3" } },
      env: [{ name: "EXTRA", value: "1" }],
      securityContext: { runAsUser: 1234 },
      tty: true,
    };
    const containers = [...(POD.spec?.containers ?? []), authored];
    const result = injected({ ...POD, spec: { ...POD.spec, containers } });
    const proxy = proxyOf(result);
    expect(result.pod.spec?.containers.map(({ name }) => name)).toEqual(["reviews"]);
    expect(proxy).toMatchObject({
      image: "lateen.dev/proxy:1",
      restartPolicy: "Always",
      tty: true,
      resources: { requests: { cpu: "10m" }, limits: { cpu: "3", memory: "1Gi" } },
      securityContext: { runAsUser: 1234, runAsNonRoot: true },
    });
    expect(proxy.env?.map(({ name }) => name)).toContain("EXTRA");
  });

  test("the gateway template makes a router of the placeholder", () => {
    const result = inject(
      {
        metadata: {
          labels: { istio: "ingressgateway", "sidecar.istio.io/inject": "true" },
          annotations: { "inject.istio.io/templates": "gateway" },
        },
        spec: {
          containers: [{ name: "istio-proxy", image: "auto", ports: [{ containerPort: 8080 }] }],
        },
      },
      { namespace: "istio-system" },
    );
    if (result.kind !== "injected") throw new Error(JSON.stringify(result));
    expect(result.pod.spec?.initContainers).toBeUndefined();
    expect(bootstrapOf(result).node.id).toMatch(/^router~/);
    const proxy = proxyOf(result);
    expect(proxy.ports?.map(({ containerPort }) => containerPort)).toEqual([15_090, 8080]);
    expect(proxy.startupProbe).toBeUndefined();
  });

  test.each([
    ["a wrong annotation", { "sidecar.istio.io/logLevel": "loud" }],
    ["a template that nobody has written", { "inject.istio.io/templates": "sidecar,grpc-agent" }],
    ["two proxies", { "inject.istio.io/templates": "sidecar,gateway" }],
    ["metrics at the proxy's own port", { "prometheus.io/port": "15090" }],
  ])("%s is refused", (_name, annotations) => {
    const result = inject(withAnnotations(annotations), { namespace: "default" });
    expect(result).toMatchObject({ kind: "refused", problems: [{}] });
  });
});

describe("redirectRuleset", () => {
  function rules(annotations: Record<string, string>): string[] {
    const read = readSettings({ annotations, config: DEFAULT_CONFIG, gateway: false });
    if (!read.ok) throw new Error("wrong annotations");
    return redirectRuleset(read.settings.redirect).split("\n");
  }

  test("exclusions come before what is redirected", () => {
    const all = rules({
      "traffic.sidecar.istio.io/excludeOutboundPorts": "25",
      "traffic.sidecar.istio.io/excludeOutboundIPRanges": "192.0.2.0/24",
    });
    const redirect = all.indexOf("meta l4proto tcp redirect to :15001");
    expect(all.indexOf("tcp dport { 25 } accept")).toBeLessThan(redirect);
    expect(all.indexOf("ip daddr 192.0.2.0/24 accept")).toBeLessThan(redirect);
    expect(all).toContain("tcp dport { 15020, 15021, 15090 } accept");
  });

  test("interfaces are left alone, or taken for a virtual machine's; IPv6 has its own rules", () => {
    const all = rules({
      "traffic.sidecar.istio.io/excludeInterfaces": "net1",
      "traffic.sidecar.istio.io/kubevirtInterfaces": "k6t",
      "traffic.sidecar.istio.io/excludeOutboundIPRanges": "2001:db8::/32",
    });
    expect(all.filter((line) => line.includes('"net1"'))).toEqual([
      'oifname "net1" accept',
      'iifname "net1" accept',
    ]);
    expect(all.filter((line) => line.includes('"k6t"'))).toEqual([
      'iifname "k6t" ip6 daddr 2001:db8::/32 accept',
      'iifname "k6t" meta l4proto tcp redirect to :15001',
      'iifname "k6t" accept',
    ]);
  });

  test("nothing included redirects nothing", () => {
    const all = rules({
      "traffic.sidecar.istio.io/includeInboundPorts": "",
      "traffic.sidecar.istio.io/includeOutboundIPRanges": "",
    });
    expect(all.some((line) => line.includes(":15001"))).toBe(false);
    expect(all.some((line) => line.startsWith("fib daddr"))).toBe(false);
  });

  test("single ports and networks are redirected alone", () => {
    const all = rules({
      "traffic.sidecar.istio.io/includeInboundPorts": "80,443",
      "traffic.sidecar.istio.io/includeOutboundIPRanges": "198.51.100.0/24",
    });
    expect(all).toContain(
      "tcp dport { 80, 443 } fib daddr type local meta l4proto tcp redirect to :15006",
    );
    expect(all).toContain("ip daddr 198.51.100.0/24 meta l4proto tcp redirect to :15001");
    expect(all).not.toContain("meta l4proto tcp redirect to :15001");
  });
});
