import { describe, expect, test } from "@jest/globals";
import type { Container } from "#cluster/api/generated/core-v1.ts";
import { probersText, restoreProbes, rewriteProbes } from "./probes.ts";

function rewritten(fields: Partial<Container>): { container: Container; probers: unknown } {
  const container: Container = {
    name: "app",
    image: "example.org/app",
    ports: [{ name: "web", containerPort: 8080 }],
    ...fields,
  };
  const { spec, probes } = rewriteProbes(
    { containers: [container] },
    { statusPort: 15_020, except: "istio-proxy" },
  );
  return { container: spec.containers[0] ?? container, probers: JSON.parse(probersText(probes)) };
}

const NEW = { path: "/app-health/app/readyz", port: 15_020 };

describe("rewriteProbes", () => {
  test.each<[string, NonNullable<Container["readinessProbe"]>, object, object]>([
    [
      "http by the port's name",
      { httpGet: { path: "/h", port: "web" }, timeoutSeconds: 3, periodSeconds: 7 },
      { httpGet: NEW, timeoutSeconds: 3, periodSeconds: 7 },
      { httpGet: { path: "/h", port: 8080 }, timeoutSeconds: 3 },
    ],
    [
      "https becomes http up to the proxy; headers go along",
      { httpGet: { port: 443, scheme: "HTTPS", httpHeaders: [{ name: "a", value: "b" }] } },
      { httpGet: { ...NEW, scheme: "HTTP", httpHeaders: [{ name: "a", value: "b" }] } },
      { httpGet: { port: 443, scheme: "HTTPS", httpHeaders: [{ name: "a", value: "b" }] } },
    ],
    ["tcp", { tcpSocket: { port: 9000 } }, { httpGet: NEW }, { tcpSocket: { port: 9000 } }],
    [
      "grpc",
      { grpc: { port: 9001, service: "s" } },
      { httpGet: NEW },
      { grpc: { port: 9001, service: "s" } },
    ],
  ])("%s", (_name, probe, wanted, prober) => {
    const { container, probers } = rewritten({ readinessProbe: probe });
    expect(container.readinessProbe).toEqual(wanted);
    expect(probers).toEqual({ [NEW.path]: prober });
  });

  test.each<[string, NonNullable<Container["readinessProbe"]>]>([
    ["a command", { exec: { command: ["true"] } }],
    ["a host of its own", { httpGet: { host: "192.0.2.1", port: 80 } }],
    ["a port name that doesn't exist", { tcpSocket: { port: "none" } }],
    ["the status port", { httpGet: { path: "/app-health/app/readyz", port: 15_020 } }],
  ])("%s stays as it is", (_name, probe) => {
    const { container, probers } = rewritten({ readinessProbe: probe });
    expect(container.readinessProbe).toEqual(probe);
    expect(probers).toEqual({});
  });

  test("hooks over HTTP, and every probe of a container, have paths of their own", () => {
    const httpGet = { port: 80 };
    const { container, probers } = rewritten({
      livenessProbe: { httpGet },
      startupProbe: { httpGet },
      lifecycle: { postStart: { httpGet }, preStop: { exec: { command: ["x"] } } },
    });
    expect(Object.keys(probers as object)).toEqual([
      "/app-health/app/livez",
      "/app-health/app/startupz",
      "/app-lifecycle/app/poststartz",
    ]);
    expect(container.lifecycle?.preStop).toEqual({ exec: { command: ["x"] } });
  });

  test("restoreProbes undoes it", () => {
    const fields: Partial<Container> = {
      livenessProbe: { grpc: { port: 9001 }, periodSeconds: 4 },
      readinessProbe: { httpGet: { path: "/h", port: 8080 } },
      lifecycle: { preStop: { httpGet: { path: "/bye", port: 8080 } } },
    };
    const { container, probers } = rewritten(fields);
    const { containers } = restoreProbes({ containers: [container] }, JSON.stringify(probers));
    expect(containers[0]).toMatchObject(fields);
  });

  test.each(["", "{", "null", "[]", '{"/app-health/app/readyz":null}'])(
    "restoreProbes leaves probes alone where the variable is %s",
    (text) => {
      const { container } = rewritten({ readinessProbe: { tcpSocket: { port: 1 } } });
      expect(() => restoreProbes({ containers: [container] }, text)).not.toThrow();
    },
  );
});
