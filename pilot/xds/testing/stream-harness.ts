/** A stream without a network: requests and responses as objects, tables to change by hand. */

import { encodeResource } from "#pilot/cache/resource.ts";
import type { EncodedResource } from "#pilot/cache/resource.ts";
import { RequestMemory } from "#pilot/xds/request-memory.ts";
import { SharedFrames } from "#pilot/cache/shared-frames.ts";
import type { Protocol } from "#pilot/cache/shared-frames.ts";
import { ResourceTable } from "#pilot/cache/table.ts";
import {
  CLUSTER,
  ENDPOINTS,
  EXTENSION_CONFIG,
  LISTENER,
  PUSH_ORDER,
  SECRET,
} from "#pilot/cache/type-url.ts";
import type { TypeUrl } from "#pilot/cache/type-url.ts";
import { decode } from "#pilot/proto/decode.ts";
import { encode } from "#pilot/proto/encode.ts";
import type { JsonObject } from "#pilot/proto/json.ts";
import { answerWith } from "#pilot/xds/question.ts";
import { DiscoveryStream } from "#pilot/xds/stream.ts";
import type { Acknowledgement, Rejection } from "#pilot/xds/stream-events.ts";

export interface Answer {
  type: TypeUrl;
  nonce: string;
  /** Names of the resources, sorted. */
  names: string[];
  removed: string[];
  version: string;
}

export interface RawResponse {
  typeUrl: TypeUrl;
  nonce: string;
  versionInfo?: string;
  resources?: JsonObject[];
  removedResources?: string[];
}

export interface Ask {
  type: TypeUrl;
  names?: string[];
  unsubscribe?: string[];
  initial?: Record<string, string>;
  /** State of the world: the last version that was accepted. */
  version?: string;
  nonce?: string;
  error?: string;
  node?: object | null;
}

/** An encoded resource of any type whose content differs with `content`. */
export function resource(
  type: TypeUrl,
  name: string,
  content = "",
  isPatched = false,
): EncodedResource {
  const result = encodeResource({
    type,
    name,
    message: messageFor(type, name, content),
    origins: [],
    ...(isPatched && { isPatched }),
  });
  if (!result.ok) throw new Error(JSON.stringify(result.problems));
  return result.resource;
}

function messageFor(type: TypeUrl, name: string, content: string): object {
  switch (type) {
    case CLUSTER:
      return { name, type: "EDS", edsClusterConfig: { serviceName: name }, altStatName: content };
    case ENDPOINTS:
      return { clusterName: name, namedEndpoints: { [`x${content}`]: {} } };
    case LISTENER:
      return { name, statPrefix: content };
    case SECRET:
      return { name, genericSecret: { secret: { inlineString: content } } };
    case EXTENSION_CONFIG:
      return {
        name,
        typedConfig: { "@type": "type.googleapis.com/google.protobuf.StringValue", value: content },
      };
    default:
      return { name, ...(content === "" ? {} : { requestHeadersToRemove: [content] }) };
  }
}

/** Drives one DiscoveryStream; answers pile up in `answers`. */
export class StreamHarness {
  readonly tables = new Map(PUSH_ORDER.map((type) => [type, [new ResourceTable(type)]]));
  /** Forms of patched resources without their patches, by name. */
  readonly unpatched = new Map<string, EncodedResource>();
  readonly answers: Answer[] = [];
  readonly acknowledged: Acknowledgement[] = [];
  readonly rejections: Rejection[] = [];
  readonly recovered: Rejection[] = [];
  readonly ends: { code: number; message: string }[] = [];
  readonly stream: DiscoveryStream;
  readonly #protocol: Protocol;
  #change: () => void = () => undefined;
  onResponse: (response: RawResponse) => void = () => undefined;
  nowMs = 0;
  closed = false;

  constructor(protocol: Protocol) {
    this.#protocol = protocol;
    this.stream = new DiscoveryStream({
      protocol,
      number: 1,
      peer: "192.0.2.1:1",
      local: "192.0.2.2:1",
      controlPlane: "{}",
      frames: new SharedFrames(),
      requests: new RequestMemory(),
      openView: (node, { onChange }) => {
        this.#change = onChange;
        if (node["id"] === "bad") return { ok: false, message: "id: no" };
        return {
          ok: true,
          view: {
            proxyId: String(node["id"]),
            tables: (type) => this.tables.get(type) ?? [],
            unpatched: (_, name) => this.unpatched.get(name),
            close: () => {
              this.closed = true;
            },
          },
        };
      },
      events: {
        sent: () => undefined,
        acknowledged: (answer) => this.acknowledged.push(answer),
        recovered: (rejection) => this.recovered.push(rejection),
        converged: () => undefined,
        rejected: (rejection) => this.rejections.push(rejection),
      },
      answer: ({ typeUrl, names }) => {
        if (typeUrl !== "istio.io/debug") return undefined;
        if (names.includes("no")) return { ok: false, code: 5, message: "no" };
        return answerWith([{ name: "", typeUrl, bytes: Buffer.from("{}") }]);
      },
      log: () => undefined,
      now: () => this.nowMs,
      send: (parts) => this.answers.push(this.#read(Buffer.concat(parts))),
      end: (code, message) => this.ends.push({ code, message }),
    });
  }

  table(type: TypeUrl): ResourceTable {
    const [table] = this.tables.get(type) ?? [];
    if (table === undefined) throw new Error(`no table of ${type}`);
    return table;
  }

  /** Changes tables and tells the stream once. */
  change(...steps: { put?: EncodedResource[]; remove?: [TypeUrl, string][] }[]): void {
    for (const { put = [], remove = [] } of steps) {
      for (const one of put) this.table(one.type).apply([one]);
      for (const [type, name] of remove) this.table(type).apply([], [name]);
    }
    this.#change();
  }

  ask(ask: Ask): void {
    const node = ask.node === undefined ? { id: "proxy" } : (ask.node ?? undefined);
    const shared = {
      node,
      typeUrl: ask.type,
      responseNonce: ask.nonce ?? "",
      errorDetail: ask.error === undefined ? undefined : { code: 13, message: ask.error },
    };
    const request =
      this.#protocol === "sotw"
        ? { ...shared, resourceNames: ask.names ?? [], versionInfo: ask.version ?? "" }
        : {
            ...shared,
            resourceNamesSubscribe: ask.names ?? [],
            resourceNamesUnsubscribe: ask.unsubscribe ?? [],
            initialResourceVersions: ask.initial ?? {},
          };
    const delta = this.#protocol === "delta" ? "Delta" : "";
    const encoded = encode(`envoy.service.discovery.v3.${delta}DiscoveryRequest`, request);
    if (!encoded.ok) throw new Error(JSON.stringify(encoded.problems));
    this.stream.onMessage(encoded.bytes);
  }

  /** Takes the oldest answer, which must be there, and acknowledges it. */
  ack(names: string[] = []): Answer {
    const answer = this.answers.shift();
    if (answer === undefined) throw new Error("no answer to acknowledge");
    this.ask({ type: answer.type, nonce: answer.nonce, names, node: null });
    return answer;
  }

  /** Answers everything, refusing what holds one of these; the names that were accepted, in turn. */
  answerAll(isBad: (answer: Answer) => boolean, names: string[] = []): string[][] {
    const accepted: string[][] = [];
    for (let count = 0; this.answers.length > 0; count++) {
      if (count > 100) throw new Error("no end of responses");
      const answer = this.answers.shift()!;
      const bad = isBad(answer);
      if (!bad) accepted.push(answer.names);
      const { type, nonce } = answer;
      this.ask({ type, nonce, names, node: null, ...(bad ? { error: "bad" } : {}) });
    }
    return accepted;
  }

  #read(bytes: Buffer): Answer {
    const delta = this.#protocol === "delta";
    const message = decode(
      `envoy.service.discovery.v3.${delta ? "Delta" : ""}DiscoveryResponse`,
      bytes,
    ) as unknown as RawResponse;
    this.onResponse(message);
    return {
      type: message.typeUrl,
      nonce: message.nonce,
      names: (message.resources ?? []).map(nameOf).toSorted(),
      removed: (message.removedResources ?? []).toSorted(),
      version: message.versionInfo ?? "",
    };
  }
}

function nameOf(resource: JsonObject): string {
  return (resource["name"] ?? resource["clusterName"] ?? "") as string;
}
