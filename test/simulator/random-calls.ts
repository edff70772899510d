/** Random calls aimed at the worlds of `random-rules.ts`: hits, near misses and odd ones. */

import type { Call } from "#pilot/explain/simulate.ts";
import { GATEWAY_PORTS } from "./random-rules.ts";
import { type Draw, EXACTS, HEADERS, PREFIXES, QUERIES, VALUES } from "./random-parts.ts";

const MESH_HOSTS = [
  "a",
  "a.default",
  "a.default.svc",
  "a.default.svc.cluster.local",
  "a.default.svc.cluster.local.",
  "b",
  "c.other",
  "c",
  "c.other.svc.cluster.local",
  "pods",
  "one.pods.default.svc.cluster.local",
  "192.0.2.101",
  "x.example.org",
  "y.wild.example.org",
  "z.wild.example.org",
  ".wild.example.org",
  "wild.example.org",
  "only-a-rule.example.org",
  "range.example.org",
  "unknown.example.org",
  "upper.example.org",
];
const GATEWAY_HOSTS = ["a.example.org", "b.example.org", "c.example.org", "example.org", "a"];
const ADDRESSES = [
  "192.0.2.101",
  "192.0.2.102",
  "192.0.2.103",
  "192.0.2.11",
  "198.51.100.7",
  "198.51.100.200",
  "203.0.113.99",
];
const MESH_PORTS = [80, 80, 80, 8080, 9000, 9001, 9100, 443, 1234];

export function randomCall(draw: Draw, from: "client" | "gateway"): Call {
  const atGateway = from === "gateway";
  const port = atGateway
    ? draw.one([...GATEWAY_PORTS.map((one) => one.number), 8080])
    : draw.one(MESH_PORTS);
  const name = spelled(draw, draw.one(atGateway ? GATEWAY_HOSTS : MESH_HOSTS), port);
  const address = atGateway ? "192.0.2.200" : draw.one(ADDRESSES);
  const usesTls = [443, 8443, 9443].includes(port) ? draw.below(6) > 0 : draw.below(12) === 0;
  const base = { address, port, ...(usesTls ? { tls: true, serverName: bare(name) } : {}) };
  if (draw.below(10) === 0 && !usesTls) return { ...base, protocol: "tcp" };
  return {
    ...base,
    protocol: "http",
    host: name,
    path: path(draw),
    method: draw.one(["GET", "GET", "GET", "POST", "OPTIONS"]),
    headers: headers(draw),
  };
}

/** As people and clients write it. */
function spelled(draw: Draw, name: string, port: number): string {
  switch (draw.below(10)) {
    case 0:
      return name.toUpperCase();
    case 1:
      return `${name}:${port}`;
    case 2:
      return `${name}:1`;
    default:
      return name;
  }
}

function bare(name: string): string {
  return name
    .replace(/:\d+$/, "")
    .replace(/^\.+|\.+$/g, "")
    .toLowerCase();
}

const TAILS = [
  "",
  "",
  "",
  "/",
  "y",
  "/y",
  "/y/z",
  "//z",
  "/../x",
  "/./y",
  "%2Fy",
  "/%2e%2e/x",
  "%61",
];
const VALUES_OF_QUERIES = ["", "=", "=v1", "=jason", "=v%31", "=v1&q=v2", "=a+b"];

function path(draw: Draw): string {
  const start = draw.one([...PREFIXES, ...EXACTS, "/api/v2", "/xy", "/other"]).replace(" ", "%20");
  const whole = `${start}${draw.one(TAILS)}`;
  const cased = draw.below(6) === 0 ? whole.toUpperCase() : whole;
  if (draw.below(2) === 0) return cased;
  const query = draw
    .some([...QUERIES, "Q", "a%20b", ""], 2)
    .map((name) => name.replace(" ", "+") + draw.one(VALUES_OF_QUERIES));
  return `${cased}?${query.join("&")}`;
}

function headers(draw: Draw): Record<string, string> {
  if (draw.below(2) === 0) return {};
  const names = draw.some([...HEADERS, "End-User"], 3);
  return Object.fromEntries(names.map((name) => [name, draw.one([...VALUES, "jason ", "v2"])]));
}
