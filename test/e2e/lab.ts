/** The world in which routing rules are tried: an echo in two versions, a client, a stranger. */

import { echoDeployment, manifest, namespaceWithPrograms, service } from "./echo.ts";

const HTTP = { name: "http", port: 80, targetPort: 8080 };
/** Whose requests the rules are for at the ingress. */
export const HOST = "rules.example.org";
/**
 * Namespace `lab` in the mesh with `echo` (v1, v2) and `client`, `plain` outside of it with `echo`.
 */
export const WORLD = manifest(
  ...namespaceWithPrograms("lab", true),
  ...namespaceWithPrograms("plain", false),
  echoDeployment({ namespace: "lab", app: "echo", env: { TCP_PORT: "9000" } }),
  echoDeployment({ namespace: "lab", app: "echo", version: "v2", env: { TCP_PORT: "9000" } }),
  echoDeployment({
    namespace: "lab",
    app: "client",
    env: { TCP_PORT: "9100", TCP_GREETING: "hello" },
  }),
  echoDeployment({ namespace: "plain", app: "echo", env: { TCP_PORT: "9000" } }),
  service("echo", "lab", { app: "echo", ports: [HTTP, { name: "tcp", port: 9000 }] }),
  service("headless", "lab", {
    app: "echo",
    ports: [{ name: "http", port: 8080 }],
    clusterIP: "None",
  }),
  service("client", "lab", { app: "client", ports: [HTTP] }),
  service("unnamed", "lab", {
    app: "client",
    ports: [
      { name: "a", port: 8080 },
      { name: "b", port: 9100 },
    ],
  }),
  service("echo", "plain", { app: "echo", ports: [HTTP, { name: "tcp", port: 9000 }] }),
  istio("Gateway", "rules", {
    selector: { istio: "ingressgateway" },
    servers: [
      { port: { number: 80, name: "http", protocol: "HTTP" }, hosts: ["lab/*.example.org"] },
    ],
  }),
  subsets("v1", "v2"),
);

/** An object of networking.istio.io in `lab`. */
export function istio(kind: string, name: string, spec: object): object {
  const metadata = { name, namespace: "lab" };
  return { apiVersion: "networking.istio.io/v1", kind, metadata, spec };
}

/** DestinationRule `echo`; a subset's name begins with its version. */
export function subsets(...names: string[]): object {
  return istio("DestinationRule", "echo", {
    host: "echo",
    subsets: names.map((name) => ({ name, labels: { version: name.slice(0, 2) } })),
  });
}

/** VirtualService `rules`, for `HOST` at the ingress and for `echo` in the mesh. */
export function rules(...http: object[]): object {
  const hosts = [HOST, "echo"];
  return istio("VirtualService", "rules", { hosts, gateways: ["rules", "mesh"], http });
}

/** Routes to all versions of `echo`, and to a subset. */
export const TO_ECHO = [{ destination: { host: "echo" } }];
export const to = (subset: string): object[] => [{ destination: { host: "echo", subset } }];

/** A rule whose answers carry its name. */
export const named = (rule: string, match: object): object => ({
  match: [match],
  headers: { response: { set: { rule } } },
  route: TO_ECHO,
});
