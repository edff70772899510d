import { describe, expect, test } from "@jest/globals";
import type { Container, Pod } from "#cluster/api/generated/core-v1.ts";
import { containerResources, podGroupLimits } from "./resources.ts";

type Quantities = Record<string, string>;

function container(requests: Quantities = {}, limits: Quantities = {}): Container {
  return { name: "c", image: "i", resources: { requests, limits } };
}

function pod(...containers: Container[]): Pod {
  return { metadata: { name: "p" }, spec: { containers } };
}

describe("control group settings", () => {
  test("a pod shares CPU time by its requests, and is limited where all containers are", () => {
    const limits = { cpu: "500m", memory: "64Mi" };
    const limited = container({ cpu: "250m" }, limits);
    expect(podGroupLimits(pod(limited, limited))).toEqual({
      cpuShares: 512,
      cpuQuotaUs: 100_000,
      memoryLimitBytes: 128 << 20,
    });
    expect(podGroupLimits(pod(limited, container({ cpu: "250m" })))).toEqual({ cpuShares: 512 });
    expect(podGroupLimits(pod(container()))).toEqual({ cpuShares: 2 });
  });

  test("a limit of 0 is none", () => {
    const zero = container({}, { cpu: "0", memory: "0" });
    expect(podGroupLimits(pod(zero))).toEqual({ cpuShares: 2 });
    const own = containerResources(pod(zero), zero, 1 << 30);
    expect(own).toMatchObject({ cpuQuotaUs: undefined, memoryLimitBytes: undefined });
  });
});
