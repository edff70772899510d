import { describe, expect, test } from "@jest/globals";
import type { KubeObject } from "#cluster/api/meta.ts";
import { selectProxyConfigs } from "./proxy-configs.ts";

function config(namespace: string, concurrency: number, matchLabels?: object): KubeObject {
  return {
    metadata: { name: `c${concurrency}`, namespace, creationTimestamp: `2026-01-0${concurrency}` },
    spec: { concurrency, ...(matchLabels && { selector: { matchLabels } }) },
  };
}

const OBJECTS = [
  config("istio-system", 1),
  config("default", 2),
  config("default", 3, { app: "a" }),
  config("default", 4, { app: "a" }),
  config("default", 5, { app: "b" }),
  config("istio-system", 6, { app: "a" }),
  config("other", 7),
];

describe("selectProxyConfigs", () => {
  test.each<[string, string, number[], number[]]>([
    ["mesh and namespace, then what selects it, the oldest last", "default", [1, 2], [4, 3]],
    ["of the root namespace, once", "istio-system", [1], [6]],
    ["of another namespace", "other", [1, 7], []],
  ])("%s", (_name, namespace, general, workload) => {
    const pod = { namespace, labels: { app: "a" }, rootNamespace: "istio-system" };
    const found = selectProxyConfigs(OBJECTS, pod);
    expect(found.general.map(({ concurrency }) => concurrency)).toEqual(general);
    expect(found.workload.map(({ concurrency }) => concurrency)).toEqual(workload);
  });
});
