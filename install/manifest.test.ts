import { describe, expect, test } from "@jest/globals";
import { knownDefinition } from "#cluster/apiserver/schema/messages.ts";
import { findUnknown } from "#cluster/apiserver/schema/prune.ts";
import { validate } from "#cluster/apiserver/schema/validate.ts";
import type { Deployment } from "#cluster/api/generated/apps-v1.ts";
import type { MutatingWebhookConfiguration } from "#cluster/api/generated/admissionregistration-v1.ts";
import type { ConfigMap } from "#cluster/api/generated/core-v1.ts";
import type { PodInput } from "#sidecar-injector/inject/pod-input.ts";
import { DEFAULT_CONFIG } from "#sidecar-injector/inject/config.ts";
import { inject } from "#sidecar-injector/inject/inject.ts";
import { injectorConfig } from "#sidecar-injector/inject/injector-values.ts";
import { matchesLabelSelector } from "#cluster/api/selector.ts";
import { manifest } from "./manifest.ts";
import { DEFAULT_OPTIONS, type InstallOptions } from "./options.ts";

interface Any {
  apiVersion: string;
  kind: string;
  metadata: { name: string; namespace?: string };
}

const objectsOf = (more: Partial<InstallOptions> = {}): Any[] =>
  manifest({ ...DEFAULT_OPTIONS, ...more }) as Any[];
const titleOf = ({ kind, metadata }: Any): string => `${kind}/${metadata.name}`;

function find(objects: Any[], title: string): Any {
  const found = objects.find((one) => titleOf(one) === title);
  if (found === undefined) throw new Error(`no ${title}`);
  return found;
}

describe("manifest", () => {
  test.each(objectsOf().map((object): [string, Any] => [titleOf(object), object]))(
    "%s is what Kubernetes knows",
    (_title, object) => {
      const name = knownDefinition(object.apiVersion, object.kind);
      expect(name).toBeDefined();
      const schema = { $ref: name ?? "" };
      // Schemas of CRDs have fields of their own.
      const unknown = object.kind === "CustomResourceDefinition" ? [] : findUnknown(schema, object);
      expect([unknown, validate(schema, object)]).toEqual([[], []]);
    },
  );

  test("an object comes after its namespace, and a role before its binding", () => {
    const titles = objectsOf().map(titleOf);
    expect(titles[0]).toBe("Namespace/istio-system");
    expect(new Set(titles).size).toBe(titles.length);
    const before = (a: string, b: string): boolean =>
      titles.findIndex((one) => one.startsWith(a)) < titles.findIndex((one) => one.startsWith(b));
    expect(before("CustomResourceDefinition/", "Deployment/istiod")).toBe(true);
    expect(before("ClusterRole/", "ClusterRoleBinding/")).toBe(true);
    expect(before("Deployment/istiod", "MutatingWebhookConfiguration/")).toBe(true);
    expect(before("MutatingWebhookConfiguration/", "Deployment/istio-ingressgateway")).toBe(true);
  });

  test.each(["default", "canary"])(
    "the injector of revision %s injects the gateway only",
    (revision) => {
      const objects = objectsOf({ revision, proxyImage: "example.org/proxy:1" });
      const suffix = revision === "default" ? "" : `-${revision}`;
      const { webhooks = [] } = find(
        objects,
        `MutatingWebhookConfiguration/istio-sidecar-injector${suffix}`,
      ) as MutatingWebhookConfiguration;
      const namespace = { "kubernetes.io/metadata.name": "istio-system" };
      const askedAbout = (title: string): number => {
        const labels = (find(objects, title) as Deployment).spec?.template.metadata?.labels;
        return webhooks.filter(
          ({ namespaceSelector, objectSelector }) =>
            matchesLabelSelector(namespaceSelector, namespace) &&
            matchesLabelSelector(objectSelector, labels),
        ).length;
      };
      expect(askedAbout("Deployment/istio-ingressgateway")).toBe(1);
      expect(askedAbout(`Deployment/istiod${suffix}`)).toBe(0);
    },
  );

  test("the injector understands its ConfigMap, and the gateway's pods their annotations", () => {
    const objects = objectsOf({ proxyImage: "example.org/proxy:1", network: "n" });
    const { data } = find(objects, "ConfigMap/istio-sidecar-injector") as ConfigMap;
    const { config, problems } = injectorConfig(data ?? {}, DEFAULT_CONFIG);
    expect(problems).toEqual([]);
    const gateway = find(objects, "Deployment/istio-ingressgateway") as Deployment;
    const result = inject(gateway.spec?.template as PodInput, {
      namespace: "istio-system",
      config,
    });
    expect(result).toMatchObject({
      kind: "injected",
      pod: { spec: { containers: [{ image: "example.org/proxy:1" }] } },
    });
  });

  test("revisions share what the mesh has once, and nothing else", () => {
    const first = objectsOf().map(titleOf);
    const second = objectsOf({ revision: "canary", gateway: false }).map(titleOf);
    const own = second.filter((title) => !first.includes(title));
    expect(own).toEqual([
      "Service/istiod-canary",
      "Deployment/istiod-canary",
      "PodDisruptionBudget/istiod-canary",
      "HorizontalPodAutoscaler/istiod-canary",
      "MutatingWebhookConfiguration/istio-sidecar-injector-canary",
    ]);
  });
});
