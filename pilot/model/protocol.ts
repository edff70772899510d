/** The protocol of a service port, and how it is chosen (Istio, "Protocol Selection"). */

/** `Auto` is sniffed by the proxy. */
export type Protocol =
  | "HTTP"
  | "HTTP2"
  | "GRPC"
  | "GRPC-Web"
  | "HTTPS"
  | "TLS"
  | "TCP"
  | "UDP"
  | "Mongo"
  | "MySQL"
  | "Redis"
  | "Auto";

const BY_NAME = new Map<string, Protocol>([
  ["http", "HTTP"],
  ["http2", "HTTP2"],
  ["grpc", "GRPC"],
  ["grpc-web", "GRPC-Web"],
  ["https", "HTTPS"],
  ["tls", "TLS"],
  ["tcp", "TCP"],
  ["udp", "UDP"],
  ["mongo", "Mongo"],
  ["mysql", "MySQL"],
  ["redis", "Redis"],
]);

const BY_APP_PROTOCOL = new Map<string, Protocol>([
  ["kubernetes.io/h2c", "HTTP2"],
  ["kubernetes.io/ws", "HTTP"],
  ["kubernetes.io/wss", "HTTPS"],
]);

/** SMTP, DNS, MySQL and MongoDB speak server first: sniffing would wait for nothing. */
export const SERVER_FIRST_PORTS: ReadonlySet<number> = new Set([25, 53, 3306, 27017]);

/**
 * A protocol's own name, any case (`ServiceEntry.ports[].protocol`, `Gateway`); unknown is `Auto`.
 */
export function parseProtocol(text: string | undefined): Protocol {
  return BY_NAME.get((text ?? "").toLowerCase()) ?? "Auto";
}

/** The protocol of a Kubernetes Service port. */
export function protocolOfPort(port: {
  port: number;
  name?: string;
  appProtocol?: string;
  transport?: string;
}): Protocol {
  if (port.transport === "UDP" || port.transport === "SCTP") return "UDP";
  if (port.appProtocol !== undefined) {
    const known = BY_APP_PROTOCOL.get(port.appProtocol.toLowerCase());
    return known ?? parseProtocol(port.appProtocol);
  }
  const name = (port.name ?? "").toLowerCase();
  if (name === "grpc-web" || name.startsWith("grpc-web-")) return "GRPC-Web";
  const named = BY_NAME.get(name.split("-")[0] ?? "");
  if (named !== undefined && named !== "UDP") return named;
  return SERVER_FIRST_PORTS.has(port.port) ? "TCP" : "Auto";
}

export function isHttp(protocol: Protocol): boolean {
  return ["HTTP", "HTTP2", "GRPC", "GRPC-Web"].includes(protocol);
}

export function isHttp2(protocol: Protocol): boolean {
  return protocol === "HTTP2" || protocol === "GRPC" || protocol === "GRPC-Web";
}

export function isTls(protocol: Protocol): boolean {
  return protocol === "HTTPS" || protocol === "TLS";
}

/** How a port's listener is built: by requests, by connections, or by looking first. */
export type ListenerKind = "http" | "tcp" | "auto";

export function listenerKind(protocol: Protocol): ListenerKind {
  if (protocol === "Auto") return "auto";
  return isHttp(protocol) ? "http" : "tcp";
}
