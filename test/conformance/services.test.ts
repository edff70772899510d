/** Services of Kubernetes: cluster addresses, headless, ExternalName; which protocol a port speaks. */

import { expect, test } from "@jest/globals";
import { describeMesh, virtualService } from "./harness.ts";

const host = "app.default.svc.cluster.local";
const address = "127.31.0.5";
const closed = `
apiVersion: v1
kind: ConfigMap
metadata: { name: istio, namespace: istio-system }
data: { mesh: "outboundTrafficPolicy: { mode: REGISTRY_ONLY }" }
---`;
const service = (spec: string): string => `
apiVersion: v1
kind: Service
metadata: { name: app, namespace: default }
spec: ${spec}
---`;
const endpoints = (name: string, port: number): string => `
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { name: app-1, namespace: default, labels: { kubernetes.io/service-name: app } }
addressType: IPv4
ports: [{ name: "${name}", port: ${port}, protocol: TCP }]
endpoints:
- { addresses: [127.30.0.1], conditions: { ready: true } }
- { addresses: [127.30.0.2], conditions: { ready: true } }
---`;
/** Of its way, a proxy that reads HTTP tells the workload; one that passes bytes on doesn't. */
const READ = { seen: { "x-request-id": expect.any(String) as unknown } };

describeMesh("a service", (mesh) => {
  const withPort = (port: string, name: string): string =>
    closed +
    service(`{ clusterIP: ${address}, ports: [{ ${port}, targetPort: ${mesh.port} }] }`) +
    endpoints(name, mesh.port);
  const passesOn = async (port: number): Promise<void> => {
    await mesh.answers({ host, address, port }, { status: 200 });
    const { seen } = await mesh.call({ host, address, port });
    expect(seen).not.toHaveProperty("x-request-id");
  };

  test("is found by each of its names", async () => {
    mesh.apply(withPort("name: http, port: 80", "http"));
    for (const name of ["app", "app.default", "app.default.svc", host, address]) {
      await mesh.answers({ host: name, address }, READ);
    }
  });

  test("speaks what the name of its port begins with", async () => {
    mesh.apply(withPort("name: http-api, port: 8081", "http-api"));
    await mesh.answers({ host, address, port: 8081 }, READ);
    mesh.apply(withPort("name: tcp-api, port: 8082", "tcp-api"));
    await passesOn(8082);
  });

  test("speaks what appProtocol says before what the name says", async () => {
    mesh.apply(withPort("name: tcp-api, appProtocol: http, port: 8083", "tcp-api"));
    await mesh.answers({ host, address, port: 8083 }, READ);
    mesh.apply(withPort("name: http-api, appProtocol: tcp, port: 8084", "http-api"));
    await passesOn(8084);
  });

  test("speaks what the client begins with where nothing tells", async () => {
    mesh.apply(withPort("name: api, port: 8085", "api"));
    await mesh.answers({ host, address, port: 8085 }, READ);
    mesh.apply(virtualService(`{ hosts: [${host}], http: [{ directResponse: { status: 201 } }] }`));
    await mesh.answers({ host, address, port: 8085 }, { status: 201 });
  });

  test("gets connections as bytes on ports of databases", async () => {
    mesh.apply(withPort("name: db, port: 3306", "db"));
    await passesOn(3306);
  });

  test("without an address gets each request where the client meant", async () => {
    const { port } = mesh;
    const headless = (name: string): string =>
      closed +
      service(`{ clusterIP: None, ports: [{ name: ${name}, port: ${port} }] }`) +
      endpoints(name, port);
    for (const name of ["http", "tcp", "api"]) {
      mesh.apply(headless(name));
      await mesh.answers({ host, address: "127.30.0.1", port }, { workload: "web-v1" });
      await mesh.answers({ host, address: "127.30.0.2", port }, { workload: "web-v2" });
    }
  });

  test("of an external name is another name of the one it names", async () => {
    const alias = "{ type: ExternalName, externalName: other.example.org }";
    mesh.apply(closed + service(alias));
    await mesh.answers({ host, address: "127.31.0.6" }, { workload: "other" });
    mesh.apply(
      virtualService(`{ hosts: [other.example.org], http: [{ directResponse: { status: 201 } }] }`),
    );
    await mesh.answers({ host, address: "127.31.0.6" }, { status: 201 });
  });
});
