/** ServiceEntry: resolutions, addresses, ports, who sees it. */

import { test } from "@jest/globals";
import { describeMesh, istio } from "./harness.ts";

const closed = `
apiVersion: v1
kind: ConfigMap
metadata: { name: istio, namespace: istio-system }
data: { mesh: "outboundTrafficPolicy: { mode: REGISTRY_ONLY }" }
---`;
const host = "away.example.org";
const address = "127.31.0.4";
const serviceEntry = (fields: string, namespace = "default"): string =>
  istio("ServiceEntry", "away", `{ ${fields} }`, namespace);
const ports = (port: number): string =>
  `ports: [{ number: 80, name: http, protocol: HTTP, targetPort: ${port} }]`;
const vip = `hosts: [${host}], addresses: [${address}]`;

describeMesh("a service entry", (mesh) => {
  test("finds its own host by DNS", async () => {
    mesh.apply(closed + serviceEntry(`hosts: [localhost], ${ports(mesh.port)}, resolution: DNS`));
    await mesh.answers({ host: "localhost", address: "127.31.0.7" }, { workload: "local" });
  });

  test("finds the names of its endpoints by DNS", async () => {
    for (const resolution of ["DNS", "DNS_ROUND_ROBIN"]) {
      const endpoints = "endpoints: [{ address: localhost }]";
      mesh.apply(
        closed +
          serviceEntry(`${vip}, ${ports(mesh.port)}, resolution: ${resolution}, ${endpoints}`),
      );
      await mesh.answers({ host, address }, { workload: "local" });
    }
  });

  test("goes where the client meant without a resolution", async () => {
    const port = mesh.port;
    const own = `ports: [{ number: ${port}, name: http, protocol: HTTP }]`;
    mesh.apply(closed + serviceEntry(`hosts: [${host}], ${own}, resolution: NONE`));
    await mesh.answers({ host, address: "127.30.0.9", port }, { workload: "outside" });
    await mesh.answers({ host, address: "127.30.0.3", port }, { workload: "other" });
  });

  test("is for all hosts of a wildcard", async () => {
    const port = mesh.port;
    const own = `ports: [{ number: ${port}, name: http, protocol: HTTP }]`;
    mesh.apply(closed + serviceEntry(`hosts: ["*.away.example.org"], ${own}, resolution: NONE`));
    const call = { address: "127.30.0.9", port };
    await mesh.answers({ ...call, host: "any.away.example.org" }, { workload: "outside" });
    await mesh.answers({ ...call, host: "away.example.org" }, { status: 502 });
  });

  test("takes connections for every address of its range", async () => {
    const tcp = `ports: [{ number: 9000, name: tcp, protocol: TCP, targetPort: ${mesh.port} }]`;
    const range = `hosts: [${host}], addresses: [127.31.1.0/25]`;
    const endpoints = "endpoints: [{ address: 127.30.0.3 }]";
    mesh.apply(closed + serviceEntry(`${range}, ${tcp}, resolution: STATIC, ${endpoints}`));
    await mesh.answers({ host, address: "127.31.1.77", port: 9000 }, { workload: "other" });
    await mesh.answers({ host, address: "127.31.1.177", port: 9000 }, { status: 0 });
  });

  test("selects workload entries by their labels", async () => {
    const workload = (name: string, at: string): string =>
      istio("WorkloadEntry", name, `{ address: ${at}, labels: { app: ${name} } }`);
    const select = (app: string): string =>
      serviceEntry(
        `${vip}, ${ports(mesh.port)}, resolution: STATIC, workloadSelector: { labels: { app: ${app} } }`,
      );
    mesh.apply(workload("one", "127.30.0.1") + workload("two", "127.30.0.2") + select("one"));
    await mesh.answers({ host, address }, { workload: "web-v1" });
    mesh.apply(select("two"));
    await mesh.answers({ host, address }, { workload: "web-v2" });
  });

  test("of another namespace is seen unless it is kept there", async () => {
    const there = (fields: string): string =>
      serviceEntry(
        `${vip}, ${ports(mesh.port)}, resolution: STATIC, endpoints: [{ address: 127.30.0.3 }]${fields}`,
        "other",
      );
    mesh.apply(closed + there(""));
    await mesh.answers({ host, address }, { workload: "other" });
    mesh.apply(there(`, exportTo: ["."]`));
    await mesh.answers({ host, address }, { status: 502 });
  });
});
