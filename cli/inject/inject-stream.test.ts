import { describe, expect, test } from "@jest/globals";
import { loadAll } from "js-yaml";
import { DEFAULT_CONFIG } from "#sidecar-injector/inject/config.ts";
import { injectStream } from "./inject-stream.ts";

const OPTIONS = { config: DEFAULT_CONFIG, namespace: "default" };
const run = (stream: string, config = DEFAULT_CONFIG) =>
  injectStream(stream, { ...OPTIONS, config });

const SERVICE = `# a comment
apiVersion: v1
kind: Service
metadata: {   name: "hello" }
spec:
  ports: [{port: 80}]   # another
`;

function workload(apiVersion: string, kind: string, indent = ""): string {
  const template = `template:
    metadata: { labels: { app: hello } }
    spec: { containers: [{ name: hello, image: example.org/hello }] }
`;
  const spec =
    kind === "CronJob"
      ? `  jobTemplate:\n    spec:\n      ${template.replaceAll("\n  ", "\n      ")}`
      : `  ${template}`;
  const text = `apiVersion: ${apiVersion}\nkind: ${kind}\nmetadata: { name: hello }\nspec:\n${spec}`;
  return text.replaceAll(/^/gm, indent).trimEnd() + "\n";
}

function proxiesIn(yaml: string): number {
  return [...yaml.matchAll(/- name: istio-proxy$/gm)].length;
}

describe("injectStream", () => {
  test.each([
    ["apps/v1", "Deployment"],
    ["apps/v1", "StatefulSet"],
    ["apps/v1", "DaemonSet"],
    ["apps/v1", "ReplicaSet"],
    ["v1", "ReplicationController"],
    ["batch/v1", "Job"],
    ["batch/v1", "CronJob"],
    ["apps.openshift.io/v1", "DeploymentConfig"],
  ])("%s %s", (apiVersion, kind) => {
    const { yaml, decisions } = run(workload(apiVersion, kind));
    expect(proxiesIn(yaml)).toBe(1);
    expect(decisions).toEqual([expect.stringContaining(`${kind}/default/hello: injected`)]);
    expect(yaml).toContain(
      `kubernetes://apis/${apiVersion}/namespaces/default/${kind.toLowerCase()}s/hello`,
    );
    expect(run(yaml).yaml).toBe(yaml);
  });

  test("what has no pods keeps its bytes, and documents their order", () => {
    const stream = `${SERVICE}---\n${workload("apps/v1", "Deployment")}--- # third\n${SERVICE}--- {kind: Other}\n---\n# end\n`;
    const { yaml } = run(stream);
    expect(yaml.startsWith(`${SERVICE}---\napiVersion: apps/v1\nkind: Deployment\n`)).toBe(true);
    expect(yaml.endsWith(`--- # third\n${SERVICE}--- {kind: Other}\n---\n# end\n`)).toBe(true);
    expect(loadAll(yaml)).toHaveLength(5);
    expect(run(SERVICE).yaml).toBe(SERVICE);
    expect(run("").yaml).toBe("");
  });

  test("CRLF and a document beside its mark", () => {
    const windows = SERVICE.replaceAll("\n", "\r\n");
    expect(run(`---\r\n${windows}`).yaml).toBe(`---\r\n${windows}`);
    const inline =
      "--- {apiVersion: v1, kind: Pod, metadata: {name: a}, spec: {containers: [{name: a, image: b}]}}\n";
    expect(loadAll(run(inline).yaml)).toHaveLength(1);
    expect(proxiesIn(run(inline).yaml)).toBe(1);
  });

  test("items of a List", () => {
    const list = `apiVersion: v1\nkind: List\nitems:\n- kind: Service\n- ${workload("apps/v1", "Deployment", "  ").trimStart()}`;
    expect(proxiesIn(run(list).yaml)).toBe(1);
    const services = "apiVersion: v1\nkind: List\nitems: [{kind: Service}]\n";
    expect(run(services).yaml).toBe(services);
  });

  test("a pod of the host's network and a namespace of the cluster stay", () => {
    const host =
      "kind: Pod\napiVersion: v1\nmetadata: {name: a}\nspec: {hostNetwork: true, containers: [{name: a}]}\n";
    expect(run(host).yaml).toBe(host);
    const system = workload("apps/v1", "Deployment").replace(
      "name: hello }",
      "name: hello, namespace: kube-system }",
    );
    expect(run(system).yaml).toBe(system);
  });

  test("a wrong annotation is told and leaves the object alone", () => {
    const wrong = workload("apps/v1", "Deployment").replace(
      "labels: {",
      "annotations: { sidecar.istio.io/logLevel: loud }, labels: {",
    );
    const { yaml, problems } = run(wrong);
    expect(yaml).toBe(wrong);
    expect(problems).toEqual([expect.stringContaining("Deployment/default/hello")]);
  });

  test("a Job with a classic sidecar is told that it won't end", () => {
    const { warnings } = run(workload("batch/v1", "Job"), {
      ...DEFAULT_CONFIG,
      nativeSidecar: false,
    });
    expect(warnings).toEqual([expect.stringContaining("keeps a Job from ending")]);
  });
});
