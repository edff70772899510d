/** DestinationRule: which of several is in force, and for whom. */

import { test } from "@jest/globals";
import { describeMesh, istio, virtualService } from "./harness.ts";

const host = "shared.example.org";
const call = { host, address: "127.31.0.3" };
const service = (port: number): string =>
  istio(
    "ServiceEntry",
    "shared",
    `
  hosts: [${host}]
  addresses: [127.31.0.3]
  ports: [{ number: 80, name: http, protocol: HTTP, targetPort: ${port} }]
  resolution: STATIC
  endpoints:
  - { address: 127.30.0.1, labels: { version: v1 } }
  - { address: 127.30.0.2, labels: { version: v2 } }
  - { address: 127.30.0.3, labels: { version: v3 } }`,
    "other",
  );
const routed = virtualService(
  `{ hosts: [${host}], http: [{ route: [{ destination: { host: ${host}, subset: pick } }] }] }`,
);
/** A rule whose subset `pick` is this version. */
const pick = (version: string, namespace: string, fields = "", forHost = host): string =>
  istio(
    "DestinationRule",
    `pick-${version}`,
    `{ host: "${forHost}", subsets: [{ name: pick, labels: { version: ${version} } }] ${fields} }`,
    namespace,
  );

describeMesh("a destination rule", (mesh) => {
  test("is the client's namespace's before the service's, and that before the mesh's", async () => {
    mesh.apply(service(mesh.port) + routed + pick("v1", "istio-system"));
    await mesh.answers(call, { workload: "web-v1" });
    mesh.apply(pick("v2", "other"));
    await mesh.answers(call, { workload: "web-v2" });
    mesh.apply(pick("v3", "default"));
    await mesh.answers(call, { workload: "other" });
  });

  test("is none of a namespace that is neither the client's, the service's nor the mesh's", async () => {
    mesh.apply(service(mesh.port) + routed + pick("v1", "third"));
    await mesh.answers(call, { status: 503 });
    mesh.apply(pick("v2", "other"));
    await mesh.answers(call, { workload: "web-v2" });
  });

  test("is not seen where its namespace keeps it to itself", async () => {
    mesh.apply(service(mesh.port) + routed + pick("v2", "other"));
    await mesh.answers(call, { workload: "web-v2" });
    mesh.apply(pick("v2", "other", `, exportTo: ["."]`));
    await mesh.answers(call, { status: 503 });
  });

  test("is the one for the host before one for a wildcard", async () => {
    mesh.apply(service(mesh.port) + routed + pick("v1", "default", "", "*.example.org"));
    await mesh.answers(call, { workload: "web-v1" });
    mesh.apply(pick("v2", "default"));
    await mesh.answers(call, { workload: "web-v2" });
  });

  test("is for the clients that it selects", async () => {
    const of = (app: string): string => `, workloadSelector: { matchLabels: { app: ${app} } }`;
    mesh.apply(service(mesh.port) + routed + pick("v1", "default"));
    await mesh.answers(call, { workload: "web-v1" });
    mesh.apply(pick("v2", "default", of("nobody")) + pick("v3", "default", of("client")));
    await mesh.answers(call, { workload: "other" });
  });

  test("adds its subsets to those of another for the same host", async () => {
    mesh.apply(service(mesh.port) + routed);
    mesh.apply(
      istio("DestinationRule", "a", `{ host: ${host}, subsets: [{ name: all }] }`) +
        pick("v2", "default"),
    );
    await mesh.answers(call, { workload: "web-v2" });
  });
});
