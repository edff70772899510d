/** An API server that only lists and watches what it is given: the cluster that pilot follows. */

import { once } from "node:events";
import { type Server, type ServerResponse, createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { KubeObject } from "#cluster/api/meta.ts";

export class FakeApi {
  readonly #objects = new Map<string, Map<string, KubeObject>>();
  readonly #watchers = new Map<string, Set<ServerResponse>>();
  readonly #server: Server;
  #revision = 0;

  constructor() {
    this.#server = createServer(({ method, url = "/" }, response) => {
      const { pathname, searchParams } = new URL(url, "http://localhost");
      if (method !== "GET") refuse(response, 405);
      else if (searchParams.get("watch") === "true") this.#watch(resourceOf(pathname), response);
      else this.#list(resourceOf(pathname), response);
    });
  }

  /** Its URL, on any free port of loopback. */
  async start(): Promise<string> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Creates or replaces an object. */
  put(given: KubeObject): void {
    const resource = resourceOfObject(given);
    const { name, namespace = "" } = given.metadata;
    const key = `${namespace}/${name}`;
    const all = this.#objects.get(resource) ?? new Map<string, KubeObject>();
    this.#objects.set(resource, all);
    const resourceVersion = String(++this.#revision);
    const metadata = { uid: `${resource}/${key}`, ...given.metadata, resourceVersion };
    const object = { ...given, metadata };
    const type = all.has(key) ? "MODIFIED" : "ADDED";
    all.set(key, object);
    const line = `${JSON.stringify({ type, object })}\n`;
    for (const watcher of this.#watchers.get(resource) ?? []) watcher.write(line);
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  #list(resource: string, response: ServerResponse): void {
    const items = [...(this.#objects.get(resource)?.values() ?? [])];
    const metadata = { resourceVersion: String(this.#revision) };
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify({ kind: "List", apiVersion: "v1", metadata, items }));
  }

  #watch(resource: string, response: ServerResponse): void {
    const watchers = this.#watchers.get(resource) ?? new Set<ServerResponse>();
    this.#watchers.set(resource, watchers.add(response));
    response.on("close", () => watchers.delete(response));
    response.setHeader("content-type", "application/json");
    response.flushHeaders();
  }
}

function refuse(response: ServerResponse, code: number): void {
  response.statusCode = code;
  response.setHeader("content-type", "application/json");
  response.end(JSON.stringify({ kind: "Status", apiVersion: "v1", status: "Failure", code }));
}

/** `group/plural` of `/apis/GROUP/VERSION/[namespaces/NAMESPACE/]PLURAL`. */
function resourceOf(pathname: string): string {
  const [root, ...rest] = pathname.split("/").filter((part) => part !== "");
  const [group, ...more] = root === "apis" ? [rest[0], ...rest.slice(2)] : ["", ...rest.slice(1)];
  return `${group}/${(more[0] === "namespaces" && more.length > 2 ? more[2] : more[0]) ?? ""}`;
}

function resourceOfObject({ apiVersion = "", kind = "" }: KubeObject): string {
  const group = apiVersion.includes("/") ? apiVersion.slice(0, apiVersion.indexOf("/")) : "";
  return `${group}/${kind.toLowerCase()}s`;
}
