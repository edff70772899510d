/** Undeclared destinations, the Sidecar resource, precedence of rules, tcp routes, EnvoyFilter. */

import { test } from "@jest/globals";
import { describeMesh, istio, virtualService } from "./harness.ts";

const policy = (mode: string): string => `
apiVersion: v1
kind: ConfigMap
metadata: { name: istio, namespace: istio-system }
data: { mesh: "outboundTrafficPolicy: { mode: ${mode} }" }
---`;
const unknown = { host: "unknown.example.org", address: "127.30.0.9" };
const host = "web.example.org";

describeMesh("the mesh", (mesh) => {
  test("passes requests for undeclared hosts on where ALLOW_ANY is", async () => {
    mesh.apply(policy("ALLOW_ANY"));
    await mesh.answers({ ...unknown, port: mesh.port }, { workload: "outside" });
  });

  test("closes connections to undeclared places where REGISTRY_ONLY is", async () => {
    mesh.apply(policy("REGISTRY_ONLY"));
    await mesh.answers({ ...unknown, port: mesh.port }, { status: 0 });
  });

  test("answers 502 for undeclared hosts on a declared port where REGISTRY_ONLY is", async () => {
    mesh.apply(policy("REGISTRY_ONLY"));
    await mesh.answers({ ...unknown, address: "198.51.100.1" }, { status: 502 });
  });

  test("gives a client only what its Sidecar names", async () => {
    const sidecar = (hosts: string): string =>
      istio(
        "Sidecar",
        "default",
        `{ egress: [{ hosts: ["${hosts}"] }], outboundTrafficPolicy: { mode: REGISTRY_ONLY } }`,
      );
    mesh.apply(sidecar("./other.example.org"));
    await mesh.answers({ host }, { status: 502 });
    await mesh.answers({ host: "other.example.org", address: "192.0.2.2" }, { workload: "other" });
    mesh.apply(sidecar("./*"));
    await mesh.answers({ host }, { status: 200 });
  });

  test("takes the oldest of several rules for a host", async () => {
    const rule = (name: string, year: number, status: number): string =>
      istio(
        "VirtualService",
        name,
        `{ hosts: [${host}], http: [{ directResponse: { status: ${status} } }] }`,
      ).replace(
        "namespace: default",
        `namespace: default, creationTimestamp: "${year}-01-01T00:00:00Z"`,
      );
    mesh.apply(rule("young", 2026, 201));
    await mesh.answers({ host }, { status: 201 });
    mesh.apply(rule("old", 2025, 202));
    await mesh.answers({ host }, { status: 202 });
  });

  test("prefers a rule for the host to one for a wildcard", async () => {
    mesh.apply(
      istio(
        "VirtualService",
        "wide",
        `{ hosts: ["*.example.org"], http: [{ directResponse: { status: 201 } }] }`,
      ),
    );
    await mesh.answers({ host }, { status: 201 });
    mesh.apply(virtualService(`{ hosts: [${host}], http: [{ directResponse: { status: 202 } }] }`));
    await mesh.answers({ host }, { status: 202 });
    await mesh.answers({ host: "other.example.org" }, { status: 201 });
  });

  test("routes connections by tcp rules", async () => {
    const call = { host, port: 9000 };
    mesh.apply(
      virtualService(`
  hosts: [${host}]
  tcp: [{ match: [{ port: 9000 }], route: [{ destination: { host: other.example.org, port: { number: 9000 } } }] }]`),
    );
    await mesh.answers(call, { workload: "other" });
  });

  test("answers 503 for a subset that nobody defines", async () => {
    mesh.apply(
      virtualService(
        `{ hosts: [${host}], http: [{ route: [{ destination: { host: ${host}, subset: v9 } }] }] }`,
      ),
    );
    await mesh.answers({ host }, { status: 503 });
  });

  test("finds a host by any case, with a port and with the root's dot", async () => {
    for (const spelled of ["WEB.example.org", "web.example.org:80", "web.example.org."]) {
      await mesh.answers({ host: spelled }, { status: 200 });
    }
  });
});
