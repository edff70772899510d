import { describe, expect, test } from "@jest/globals";
import type { Container, Pod } from "./generated/core-v1.ts";
import { podLimits, podRequests } from "./pod-resources.ts";

function container(requests?: object, limits?: object, changes: object = {}): Container {
  return { name: "c", image: "i", resources: { requests, limits }, ...changes } as Container;
}

function pod(containers: Container[], initContainers: Container[] = []): Pod {
  return { metadata: { name: "p" }, spec: { containers, initContainers } };
}

describe("what a pod asks for", () => {
  test("containers and sidecars together, or the largest init container beside its sidecars", () => {
    const sidecar = container({ cpu: "100m" }, undefined, { restartPolicy: "Always" });
    const main = [container({ cpu: "200m", memory: "1Ki" }), container({ cpu: "50m" })];
    const small = podRequests(pod(main, [sidecar, container({ cpu: "10m" })]));
    expect(Object.fromEntries(small)).toEqual({ cpu: 350, memory: 1024 });
    expect(podRequests(pod(main, [sidecar, container({ cpu: "1" })])).get("cpu")).toBe(1100);
  });

  test("a pod's limit is only of what every container limits", () => {
    const both = container(undefined, { cpu: "1", memory: "1Ki" });
    expect(
      Object.fromEntries(podLimits(pod([both, container(undefined, { cpu: "500m" })]))),
    ).toEqual({ cpu: 1500 });
    expect(podLimits(pod([both], [container()])).size).toBe(0);
  });
});
