/** Hosts that several ServiceEntries of one namespace declare: one service, made of what fits. */

import type { ObjectKey } from "#pilot/model/name.ts";
import { type Service, compareAge } from "#pilot/model/object.ts";
import type { Problem } from "#pilot/model/problem.ts";

/** Keeps who declares what, and says of the younger ones what of theirs has no effect. */
export class HostClaims {
  /** `namespace/host` → the services by their entry. */
  readonly #claims = new Map<string, Map<ObjectKey, Service>>();
  readonly #hosts = new Map<ObjectKey, readonly string[]>();
  readonly #contested = new Set<string>();

  /** What an entry declares now; nothing when it is gone. */
  note(entry: ObjectKey, services: readonly Service[]): void {
    for (const host of this.#hosts.get(entry) ?? []) {
      this.#claims.get(host)?.delete(entry);
      this.#settle(host);
    }
    if (services.length === 0) this.#hosts.delete(entry);
    else this.#hosts.set(entry, services.map(placeOf));
    for (const service of services) {
      const host = placeOf(service);
      const here = this.#claims.get(host) ?? new Map<ObjectKey, Service>();
      this.#claims.set(host, here.set(entry, service));
      this.#settle(host);
    }
  }

  problems(): Problem[] {
    return [...this.#contested].toSorted().flatMap((host) => {
      const [first, ...others] = [...(this.#claims.get(host)?.values() ?? [])].toSorted(byAge);
      return first === undefined ? [] : conflicts(first, others);
    });
  }

  #settle(host: string): void {
    const count = this.#claims.get(host)?.size ?? 0;
    if (count === 0) this.#claims.delete(host);
    if (count > 1) this.#contested.add(host);
    else this.#contested.delete(host);
  }
}

function placeOf({ namespace, host }: Service): string {
  return `${namespace}/${host}`;
}

/** As `pilot/model/push-context.ts` orders them. */
function byAge(left: Service, right: Service): number {
  return compareAge(left, right) || (left.key < right.key ? -1 : 1);
}

function conflicts(first: Service, others: readonly Service[]): Problem[] {
  const owners = new Map(first.ports.map((port) => [port.number, { port, by: first.source }]));
  return others.flatMap((service): Problem[] => {
    const { host } = service;
    const told = { object: service.source, severity: "warning", reason: "HostTaken" } as const;
    if (service.resolution !== first.resolution) {
      const message = `${first.source} declares ${host} with another resolution, and is older`;
      return [{ ...told, path: "spec.resolution", message }];
    }
    return service.ports.flatMap((port, at): Problem[] => {
      const owner = owners.get(port.number);
      if (owner === undefined) owners.set(port.number, { port, by: service.source });
      if (owner === undefined || isSame(owner.port, port)) return [];
      const message = `port ${port.number} of ${host} is ${owner.by}'s, which is older`;
      return [{ ...told, path: `spec.ports[${at}]`, message }];
    });
  });
}

function isSame(left: Service["ports"][number], right: Service["ports"][number]): boolean {
  return left.name === right.name && left.protocol === right.protocol;
}
