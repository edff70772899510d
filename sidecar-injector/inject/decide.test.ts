import { describe, expect, test } from "@jest/globals";
import { DEFAULT_CONFIG, type InjectorConfig } from "./config.ts";
import { decide } from "./decide.ts";
import type { Labels, PodInput } from "./pod-input.ts";

const APP = { containers: [{ name: "app", image: "app" }] };
const ENABLED = { "istio-injection": "enabled" };
const DISABLED = { "istio-injection": "disabled" };

interface Case {
  name: string;
  namespace?: string;
  namespaceLabels?: Labels;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  spec?: PodInput["spec"];
  config?: Partial<InjectorConfig>;
  expected: boolean;
}

const INJECT = "sidecar.istio.io/inject";
const APP_LABEL = { app: "batch" };
const SELECTOR = [{ matchLabels: APP_LABEL }];
const AUTO = { containers: [{ name: "istio-proxy", image: "auto" }] };
const STATUS = { "sidecar.istio.io/status": "{}" };

const CASES: Case[] = [
  { name: "the namespace asks", namespaceLabels: ENABLED, expected: true },
  { name: "nobody asks", namespaceLabels: {}, expected: false },
  { name: "the selectors have decided", expected: true },
  { name: "label false", namespaceLabels: ENABLED, labels: { [INJECT]: "false" }, expected: false },
  { name: "label true alone", namespaceLabels: {}, labels: { [INJECT]: "true" }, expected: true },
  {
    name: "label true, namespace disabled",
    namespaceLabels: DISABLED,
    labels: { [INJECT]: "true" },
    expected: false,
  },
  {
    name: "annotation false",
    namespaceLabels: ENABLED,
    annotations: { [INJECT]: "false" },
    expected: false,
  },
  {
    name: "annotation true alone",
    namespaceLabels: {},
    annotations: { [INJECT]: "true" },
    expected: false,
  },
  {
    name: "label over annotation",
    namespaceLabels: ENABLED,
    labels: { [INJECT]: "true" },
    annotations: { [INJECT]: "false" },
    expected: true,
  },
  { name: "our revision", namespaceLabels: { "istio.io/rev": "default" }, expected: true },
  { name: "another revision", namespaceLabels: { "istio.io/rev": "canary" }, expected: false },
  {
    name: "host network",
    namespaceLabels: ENABLED,
    spec: { ...APP, hostNetwork: true },
    expected: false,
  },
  {
    name: "a namespace of the cluster",
    namespace: "kube-system",
    namespaceLabels: ENABLED,
    labels: { [INJECT]: "true" },
    expected: false,
  },
  {
    name: "a status copied from another pod",
    namespaceLabels: ENABLED,
    annotations: STATUS,
    expected: true,
  },
  { name: "a word that is no answer", labels: { [INJECT]: "yes" }, expected: true },
  {
    name: "a tag of our revision",
    namespaceLabels: { "istio.io/rev": "prod" },
    config: { tags: ["prod"] },
    expected: true,
  },
  { name: "the policy is disabled", config: { policy: "disabled" }, expected: false },
  {
    name: "the policy is disabled, but the pod asks",
    labels: { [INJECT]: "true" },
    config: { policy: "disabled" },
    expected: true,
  },
  {
    name: "an old annotation asks against the policy",
    annotations: { [INJECT]: "true" },
    config: { policy: "disabled" },
    expected: true,
  },
  {
    name: "neverInjectSelector",
    labels: APP_LABEL,
    config: { neverInject: SELECTOR },
    expected: false,
  },
  {
    name: "the pod's label over neverInjectSelector",
    labels: { ...APP_LABEL, [INJECT]: "true" },
    config: { neverInject: SELECTOR },
    expected: true,
  },
  {
    name: "alwaysInjectSelector over the policy",
    labels: APP_LABEL,
    config: { alwaysInject: SELECTOR, policy: "disabled" },
    expected: true,
  },
  {
    name: "never over always",
    labels: APP_LABEL,
    config: { neverInject: SELECTOR, alwaysInject: SELECTOR },
    expected: false,
  },
  { name: "an empty selector selects nothing", config: { neverInject: [{}] }, expected: true },
  { name: "a placeholder of the proxy", namespaceLabels: ENABLED, spec: AUTO, expected: true },
];

describe("decide", () => {
  test.each(CASES)("$name: $expected", ({ namespace = "default", expected, ...input }) => {
    const config = { ...DEFAULT_CONFIG, ...input.config };
    const { labels, annotations, spec = APP, namespaceLabels } = input;
    const decision = decide(
      { metadata: { labels, annotations }, spec },
      { namespace, namespaceLabels, config },
    );
    expect(decision.inject).toBe(expected);
    expect(decision.reason).not.toBe("");
  });
});
