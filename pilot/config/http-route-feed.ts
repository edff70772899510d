import type { Service } from "#cluster/api/generated/core-v1.ts";
import type { KubeObject } from "#cluster/api/meta.ts";
import type { ServiceEntrySpec } from "#crds/types/networking-v1.ts";
import { mergeParts } from "#ingress/translate/http-route-merge.ts";
import type { RouteEntry, RouteLookup, RoutePort } from "#ingress/translate/http-route-parent.ts";
import {
  type HttpRoute,
  type TranslatedRoute,
  translateHttpRoute,
} from "#ingress/translate/http-route.ts";
import type { Change } from "#pilot/model/change.ts";
import { type ObjectKey, objectKey, serviceHost } from "#pilot/model/name.ts";
import type { VirtualService } from "#pilot/model/object.ts";
import type { Problem } from "#pilot/model/problem.ts";
import { SetsByKey } from "#pilot/registry/made-objects.ts";
import type { PlatformEvent } from "#pilot/registry/registry.ts";

export interface HttpRouteFeedOptions {
  readonly clusterDomain: string;
  /** Hears of routes about which there is something else to say than before. */
  readonly onVerdict?: (key: ObjectKey) => void;
}

interface Known {
  readonly route: HttpRoute;
  readonly reads: ReadonlySet<string>;
  readonly translated: TranslatedRoute;
}

/**
 * Keeps HTTPRoutes as VirtualServices of the model. A change costs what it touches: routes know
 * what they have read of the world, and hosts which routes have something to say about them.
 */
export class HttpRouteFeed {
  readonly #options: HttpRouteFeedOptions;
  readonly #services = new Map<string, { ports: readonly RoutePort[]; content: string }>();
  readonly #entries = new Map<string, { entry: RouteEntry; content: string }>();
  /** How many Services and ServiceEntries have a host. */
  readonly #hosts = new Map<string, number>();
  readonly #routes = new Map<ObjectKey, Known>();
  /** Routes by what they have read. */
  readonly #readers = new SetsByKey();
  /** Routes by the key of a part of theirs. */
  readonly #speakers = new SetsByKey();
  readonly #made = new Map<string, { object: VirtualService; content: string }>();

  constructor(options: HttpRouteFeedOptions) {
    this.#options = options;
  }

  problems(): Problem[] {
    return [...this.#routes.values()].flatMap(({ translated }) => translated.problems);
  }

  /** What became of a route's parents; undefined where there is no such route. */
  parentsOf(key: string): TranslatedRoute["parents"] | undefined {
    return this.#routes.get(key as ObjectKey)?.translated.parents;
  }

  /** The changes that an object's change leads to; mostly none. */
  handle(event: PlatformEvent): Change[] {
    const { apiVersion = "", kind } = event.object;
    switch (`${apiVersion.split("/").slice(0, -1).join("")}/${kind}`) {
      case "gateway.networking.k8s.io/HTTPRoute":
        return this.#route(event);
      case "/Service":
        return this.#service(event);
      case "networking.istio.io/ServiceEntry":
        return this.#entry(event);
      default:
        return [];
    }
  }

  #route({ type, object }: PlatformEvent): Change[] {
    const { namespace = "default", name } = object.metadata;
    const key = objectKey("HTTPRoute", namespace, name);
    // The edge: what an API server or the folder's schema check has accepted.
    return this.#become(key, type === "delete" ? undefined : (object as unknown as HttpRoute));
  }

  #service({ type, object }: PlatformEvent): Change[] {
    const { namespace = "default", name } = object.metadata;
    const key = `${namespace}/${name}`;
    const ports = type === "delete" ? undefined : portsOf(object as unknown as Service);
    const content = ports && JSON.stringify(ports);
    const before = this.#services.get(key);
    if (before?.content === content) return [];
    if (ports === undefined || content === undefined) this.#services.delete(key);
    else this.#services.set(key, { ports, content });
    const reads = [`Service/${key}`];
    if ((before === undefined) !== (ports === undefined)) {
      const host = serviceHost(name, namespace, this.#options.clusterDomain);
      reads.push(...this.#count([host], ports === undefined ? -1 : 1));
    }
    return this.#again(reads);
  }

  #entry({ type, object }: PlatformEvent): Change[] {
    const { namespace = "default", name } = object.metadata;
    const key = `${namespace}/${name}`;
    const entry = type === "delete" ? undefined : entryOf(object);
    const content = entry && JSON.stringify(entry);
    const before = this.#entries.get(key);
    if (before?.content === content) return [];
    const reads = [`ServiceEntry/${key}`, ...this.#count(before?.entry.hosts ?? [], -1)];
    if (entry === undefined || content === undefined) this.#entries.delete(key);
    else this.#entries.set(key, { entry, content });
    reads.push(...this.#count(entry?.hosts ?? [], 1));
    return this.#again(reads);
  }

  /** What depends on the number of those who have a host. */
  #count(hosts: readonly string[], by: number): string[] {
    return hosts.map((host) => {
      const count = (this.#hosts.get(host) ?? 0) + by;
      if (count === 0) this.#hosts.delete(host);
      else this.#hosts.set(host, count);
      return `Host/${host}`;
    });
  }

  #again(reads: readonly string[]): Change[] {
    const keys = new Set(reads.flatMap((one) => [...this.#readers.of(one)]));
    return [...keys].flatMap((key) =>
      this.#become(key as ObjectKey, this.#routes.get(key as ObjectKey)?.route),
    );
  }

  /** A route is translated anew, and the hosts that it speaks or spoke about are put together. */
  #become(key: ObjectKey, route: HttpRoute | undefined): Change[] {
    const before = this.#routes.get(key);
    const touched = new Set(before?.translated.parts.map((part) => part.key));
    for (const read of before?.reads ?? []) this.#readers.drop(read, key);
    for (const part of touched) this.#speakers.drop(part, key);
    if (route === undefined) this.#routes.delete(key);
    else {
      const reads = new Set<string>();
      const translated = this.#translate(key, route, reads);
      this.#routes.set(key, { route, reads, translated });
      for (const read of reads) this.#readers.add(read, key);
      for (const part of translated.parts) {
        this.#speakers.add(part.key, key);
        touched.add(part.key);
      }
      this.#options.onVerdict?.(key);
    }
    return [...touched].flatMap((part) => this.#join(part));
  }

  #translate(key: ObjectKey, route: HttpRoute, reads: Set<string>): TranslatedRoute {
    try {
      return translateHttpRoute(route, this.#lookup(reads));
    } catch (cause) {
      const detail = cause instanceof Error ? cause.message : String(cause);
      const message = `its fields have an unexpected shape: ${detail}`;
      const problem = { object: key, path: "spec", severity: "error" as const, message };
      return { parts: [], parents: [], problems: [{ ...problem, reason: "Malformed" }] };
    }
  }

  /** Notes what is asked for. */
  #lookup(reads: Set<string>): RouteLookup {
    return {
      clusterDomain: this.#options.clusterDomain,
      servicePorts: (namespace, name) => {
        reads.add(`Service/${namespace}/${name}`);
        return this.#services.get(`${namespace}/${name}`)?.ports;
      },
      serviceEntry: (namespace, name) => {
        reads.add(`ServiceEntry/${namespace}/${name}`);
        return this.#entries.get(`${namespace}/${name}`)?.entry;
      },
      isHost: (host) => {
        reads.add(`Host/${host}`);
        return this.#hosts.has(host);
      },
    };
  }

  #join(part: string): Change[] {
    const parts = [...this.#speakers.of(part)].flatMap(
      (key) =>
        this.#routes.get(key as ObjectKey)?.translated.parts.filter((one) => one.key === part) ??
        [],
    );
    const before = this.#made.get(part);
    if (parts.length === 0) {
      this.#made.delete(part);
      return before === undefined ? [] : [{ type: "delete", key: before.object.key }];
    }
    const object = mergeParts(parts);
    const content = JSON.stringify(object);
    if (before?.content === content) return [];
    this.#made.set(part, { object, content });
    return [{ type: "upsert", object }];
  }
}

function portsOf({ spec }: Service): RoutePort[] {
  return (spec?.ports ?? []).map(({ name = "", port }) => ({ name, number: port }));
}

/** Only what counts: other changes of an entry change nothing here. */
function entryOf(object: KubeObject): RouteEntry {
  const { hosts = [], ports = [] } = (object["spec"] ?? {}) as Partial<ServiceEntrySpec>;
  return {
    hosts: hosts.map((host) => host.toLowerCase()),
    ports: ports.map(({ name, number }) => ({ name, number })),
  };
}
