import { describe, expect, test } from "@jest/globals";
import { type Labels, type PodInput, decide } from "./decide.ts";

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
  expected: boolean;
}

const INJECT = "sidecar.istio.io/inject";
const PROXY = { containers: [{ name: "istio-proxy", image: "envoy" }] };
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
    name: "injected before",
    namespaceLabels: ENABLED,
    annotations: STATUS,
    spec: PROXY,
    expected: false,
  },
  {
    name: "a status copied from another pod",
    namespaceLabels: ENABLED,
    annotations: STATUS,
    expected: true,
  },
  { name: "a placeholder of the proxy", namespaceLabels: ENABLED, spec: AUTO, expected: true },
];

describe("decide", () => {
  test.each(CASES)("$name: $expected", ({ namespace = "default", expected, ...input }) => {
    const { labels, annotations, spec = APP, namespaceLabels } = input;
    const decision = decide(
      { metadata: { labels, annotations }, spec },
      { namespace, namespaceLabels, revision: "default" },
    );
    expect(decision.inject).toBe(expected);
    expect(decision.reason).not.toBe("");
  });
});
