/** A proxy as far as ADS goes: subscribes in Envoy's order, acknowledges, keeps what it gets. */

import * as grpc from "@grpc/grpc-js";
import { CLUSTER, ENDPOINTS, LISTENER, ROUTES, VIRTUAL_HOST } from "#pilot/cache/type-url.ts";
import type { TypeUrl } from "#pilot/cache/type-url.ts";
import { decode } from "#pilot/proto/decode.ts";
import { encode } from "#pilot/proto/encode.ts";
import type { JsonObject } from "#pilot/proto/json.ts";

export interface Received {
  type: TypeUrl;
  names: string[];
  removed: string[];
}

interface Response {
  typeUrl: TypeUrl;
  nonce: string;
  resources?: (JsonObject & { name?: string; clusterName?: string; resource?: JsonObject })[];
  removedResources?: string[];
}

const METHOD = "/envoy.service.discovery.v3.AggregatedDiscoveryService/";

/** A sidecar's node as the injector's bootstrap says it. */
export function sidecarNode(pod: string, namespace: string, more: object = {}): object {
  return {
    id: `sidecar~192.0.2.200~${pod}.${namespace}~${namespace}.svc.cluster.local`,
    userAgentName: "envoy",
    metadata: { NAMESPACE: namespace, ...more },
  };
}

/** A delta client; `close` it at the end. */
export class AdsClient {
  readonly received: Received[] = [];
  readonly resources = new Map<TypeUrl, Map<string, JsonObject>>();
  /** Resources with these names are refused, once each. */
  readonly refuse = new Set<string>();
  readonly #client: grpc.Client;
  readonly #stream: grpc.ClientDuplexStream<Buffer, Buffer>;
  readonly #node: object;
  readonly #asked = new Set<TypeUrl>();
  readonly #names = new Map<TypeUrl, Set<string>>();
  ended: grpc.StatusObject | undefined;

  constructor(port: number, node: object, credentials = grpc.credentials.createInsecure()) {
    this.#node = node;
    // TLS has no server names that are addresses.
    const named = { "grpc.ssl_target_name_override": "localhost" };
    this.#client = new grpc.Client(`127.0.0.1:${port}`, credentials, named);
    const same = (bytes: Buffer): Buffer => bytes;
    this.#stream = this.#client.makeBidiStreamRequest(
      `${METHOD}DeltaAggregatedResources`,
      same,
      same,
    );
    this.#stream.on("data", (bytes: Buffer) => this.#receive(bytes));
    this.#stream.on("error", () => undefined);
    this.#stream.on("status", (status) => {
      this.ended = status;
    });
    this.#ask(CLUSTER, {});
  }

  /** By name; empty until something came. */
  of(type: TypeUrl): ReadonlyMap<string, JsonObject> {
    return this.resources.get(type) ?? new Map();
  }

  /** Subscribes to these names beside those that it follows by itself. */
  want(type: TypeUrl, names: readonly string[]): void {
    this.#want(type, names);
  }

  /** Forgets the log of responses, not the resources. */
  clear(): void {
    this.received.length = 0;
  }

  close(): void {
    this.#stream.cancel();
    this.#client.close();
  }

  #receive(bytes: Buffer): void {
    const response = decode(
      "envoy.service.discovery.v3.DeltaDiscoveryResponse",
      bytes,
    ) as unknown as Response;
    const { typeUrl: type, nonce, resources = [], removedResources: removed = [] } = response;
    const names = resources.map(({ name = "" }) => name);
    this.received.push({ type, names: names.toSorted(), removed: removed.toSorted() });
    const refused = names.filter((name) => this.refuse.delete(name));
    const held = this.resources.get(type) ?? new Map<string, JsonObject>();
    this.resources.set(type, held);
    for (const { name = "", resource = {} } of resources) {
      if (!refused.includes(name)) held.set(name, resource);
    }
    for (const name of removed) held.delete(name);
    const error =
      refused.length === 0 ? {} : { errorDetail: { message: `refuses ${refused.join()}` } };
    this.#ask(type, { responseNonce: nonce, ...error });
    this.#follow(type);
  }

  /** What a response makes the client want. */
  #follow(type: TypeUrl): void {
    if (type === CLUSTER) {
      const wanted = [...this.of(CLUSTER)].flatMap(([name, cluster]) =>
        cluster["type"] === "EDS" ? [name] : [],
      );
      this.#want(ENDPOINTS, wanted);
      if (wanted.length === 0) this.#want(LISTENER, undefined);
    } else if (type === ENDPOINTS) this.#want(LISTENER, undefined);
    else if (type === LISTENER) this.#want(ROUTES, routeNamesIn([...this.of(LISTENER).values()]));
    else if (type === ROUTES) this.#want(VIRTUAL_HOST, undefined);
  }

  /** `undefined` wants everything of the type. */
  #want(type: TypeUrl, names: readonly string[] | undefined): void {
    const before = this.#names.get(type) ?? new Set<string>();
    if (names === undefined) {
      if (!this.#asked.has(type)) this.#ask(type, {});
      return;
    }
    const next = new Set(names);
    const added = [...next].filter((name) => !before.has(name));
    const gone = [...before].filter((name) => !next.has(name));
    this.#names.set(type, next);
    if (added.length === 0 && gone.length === 0) return;
    this.#ask(type, { resourceNamesSubscribe: added, resourceNamesUnsubscribe: gone });
  }

  #ask(type: TypeUrl, fields: object): void {
    const node = this.#asked.size === 0 ? { node: this.#node } : {};
    this.#asked.add(type);
    const request = { ...node, typeUrl: type, ...fields };
    const encoded = encode("envoy.service.discovery.v3.DeltaDiscoveryRequest", request);
    if (!encoded.ok) throw new Error(JSON.stringify(encoded.problems));
    this.#stream.write(encoded.bytes);
  }
}

/** Route configurations that connection managers anywhere in these listeners name. */
function routeNamesIn(listeners: readonly JsonObject[]): string[] {
  const names = new Set<string>();
  for (const match of JSON.stringify(listeners).matchAll(/"routeConfigName":"([^"]+)"/g)) {
    names.add(match[1] ?? "");
  }
  return [...names];
}
