import { isDeepStrictEqual } from "node:util";
import type { ConfigMap, Service } from "#cluster/api/generated/core-v1.ts";
import type { Ingress, IngressClass } from "#cluster/api/generated/networking-v1.ts";
import type { KubeObject } from "#cluster/api/meta.ts";
import { ingressToConfig } from "#ingress/translate/ingress.ts";
import {
  DEFAULT_SETTINGS,
  SETTINGS_NAME,
  SETTINGS_NAMESPACE,
  parseIngressSettings,
} from "#ingress/translate/settings.ts";
import type { Change } from "#pilot/model/change.ts";
import type { ObjectKey } from "#pilot/model/name.ts";
import type { AnyConfigObject } from "#pilot/model/object.ts";
import type { Problem } from "#pilot/model/problem.ts";
import type { PlatformEvent } from "#pilot/registry/registry.ts";

/** Keeps Ingresses, with what their translation reads, as Gateways and VirtualServices of the model. */
export class IngressFeed {
  readonly #clusterDomain: string;
  readonly #ingresses = new Map<string, Ingress>();
  readonly #classes = new Map<string, IngressClass>();
  readonly #services = new Map<string, Service>();
  #made = new Map<ObjectKey, { object: AnyConfigObject; content: string }>();
  #problems: readonly Problem[] = [];
  #settings = DEFAULT_SETTINGS;

  constructor(clusterDomain: string) {
    this.#clusterDomain = clusterDomain;
  }

  get problems(): readonly Problem[] {
    return this.#problems;
  }

  /** The changes that an object's change leads to; mostly none. */
  handle(event: PlatformEvent): Change[] {
    const { object } = event;
    switch (`${object.apiVersion}/${object.kind}`) {
      case "networking.k8s.io/v1/Ingress":
        note(this.#ingresses, event);
        return this.#translate();
      case "networking.k8s.io/v1/IngressClass":
        note(this.#classes, event);
        return this.#translate();
      case "v1/Service":
        note(this.#services, event);
        return this.#ingresses.size === 0 ? [] : this.#translate();
      case "v1/ConfigMap":
        return this.#configure(event);
      default:
        return [];
    }
  }

  #configure({ type, object }: PlatformEvent): Change[] {
    const { name, namespace } = object.metadata;
    if (name !== SETTINGS_NAME || namespace !== SETTINGS_NAMESPACE) return [];
    const { data } = object as ConfigMap;
    const settings = parseIngressSettings(type === "delete" ? undefined : data?.mesh);
    if (isDeepStrictEqual(settings, this.#settings)) return [];
    this.#settings = settings;
    return this.#ingresses.size === 0 ? [] : this.#translate();
  }

  #translate(): Change[] {
    const namespaces = new Set(
      [...this.#ingresses.values()].map((ingress) => ingress.metadata.namespace),
    );
    const { objects, problems } = ingressToConfig({
      ingresses: [...this.#ingresses.values()],
      classes: [...this.#classes.values()],
      services: [...this.#services.values()].filter((service) =>
        namespaces.has(service.metadata.namespace),
      ),
      clusterDomain: this.#clusterDomain,
      settings: this.#settings,
    });
    this.#problems = problems;
    const made = new Map(
      objects.map((object) => [object.key, { object, content: JSON.stringify(object) }]),
    );
    const changes: Change[] = [];
    for (const key of this.#made.keys()) {
      if (!made.has(key)) changes.push({ type: "delete", key });
    }
    for (const [key, { object, content }] of made) {
      if (this.#made.get(key)?.content !== content) changes.push({ type: "upsert", object });
    }
    this.#made = made;
    return changes;
  }
}

/** The event's kind says which type its object has. */
function note<T>(into: Map<string, T>, { type, object }: PlatformEvent): void {
  const key = keyOf(object);
  if (type === "delete") into.delete(key);
  else into.set(key, object as unknown as T);
}

function keyOf(object: KubeObject): string {
  return `${object.metadata.namespace ?? ""}/${object.metadata.name}`;
}
