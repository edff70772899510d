/** An API server's front that lets pass what some rules allow, and keeps what was asked. */

import type { ClientRequest, IncomingMessage, ServerResponse } from "node:http";
import { createServer } from "node:http";
import { request as httpsRequest } from "node:https";
import type { AddressInfo } from "node:net";
import type { PolicyRule } from "#cluster/api/generated/rbac-v1.ts";

export interface Asked {
  verb: string;
  group: string;
  /** With `/status` and other subresources. */
  resource: string;
  namespace: string;
}

export interface AuthorizingProxy {
  url: string;
  /** `verb group/resource` of everything that was let through, and of what wasn't. */
  allowed: Set<string>;
  refused: Set<string>;
  close(): void;
}

export interface ProxyOptions {
  /** The API server, and the credentials that may do everything there. */
  server: { url: string; ca: string; cert: string; key: string };
  clusterRules: readonly PolicyRule[];
  namespaceRules: readonly PolicyRule[];
  namespace: string;
}

export async function startAuthorizingProxy(options: ProxyOptions): Promise<AuthorizingProxy> {
  const allowed = new Set<string>();
  const refused = new Set<string>();
  const onward = new Set<ClientRequest>();
  const server = createServer((request, response) => {
    const asked = parse(request);
    if (asked !== undefined) {
      const text = `${asked.verb} ${asked.group}/${asked.resource}`;
      if (!isAllowed(asked, options)) {
        refused.add(text);
        response.writeHead(403, { "content-type": "application/json" });
        response.end(
          JSON.stringify({ kind: "Status", status: "Failure", reason: "Forbidden", code: 403 }),
        );
        return;
      }
      allowed.add(text);
    }
    onward.add(forward(request, response, options.server));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    allowed,
    refused,
    close() {
      for (const one of onward) one.destroy();
      server.closeAllConnections();
      server.close();
    },
  };
}

/** Undefined for paths that aren't resources. */
function parse({ method = "GET", url = "/" }: IncomingMessage): Asked | undefined {
  const { pathname, searchParams } = new URL(url, "http://x");
  const [root, ...rest] = pathname.split("/").slice(1);
  if (root !== "api" && root !== "apis") return undefined;
  const group = root === "apis" ? (rest.shift() ?? "") : "";
  rest.shift();
  const namespaced = rest[0] === "namespaces" && rest.length > 2;
  const namespace = namespaced ? (rest[1] ?? "") : "";
  const [plural, name, ...subresource] = namespaced ? rest.slice(2) : rest;
  if (plural === undefined) return undefined;
  const reading = searchParams.get("watch") === null ? "list" : "watch";
  const verbs: Record<string, string> = {
    GET: name === undefined ? reading : "get",
    POST: "create",
    PUT: "update",
    PATCH: "patch",
    DELETE: "delete",
  };
  const resource = [plural, ...subresource].join("/");
  return { verb: verbs[method] ?? method, group, resource, namespace };
}

function isAllowed(asked: Asked, options: ProxyOptions): boolean {
  const matches = ({ apiGroups = [], resources = [], verbs }: PolicyRule): boolean =>
    apiGroups.includes(asked.group) &&
    resources.includes(asked.resource) &&
    verbs.includes(asked.verb);
  return (
    options.clusterRules.some(matches) ||
    (asked.namespace === options.namespace && options.namespaceRules.some(matches))
  );
}

function forward(
  request: IncomingMessage,
  response: ServerResponse,
  { url, ca, cert, key }: ProxyOptions["server"],
): ClientRequest {
  const headers = { ...request.headers };
  delete headers.host;
  const target = { method: request.method, headers, ca, cert, key, agent: false as const };
  const onward = httpsRequest(new URL(request.url ?? "/", url), target, (answer) => {
    response.writeHead(answer.statusCode ?? 502, answer.headers);
    answer.pipe(response);
    // A watch is cut off where the server stops.
    answer.on("error", () => response.destroy());
  });
  onward.on("error", () => response.destroy());
  response.on("close", () => onward.destroy());
  request.pipe(onward);
  return onward;
}
