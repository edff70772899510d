/** Reads typed values out of a pod's annotations and collects what is wrong with them. */

import { isIPv4 } from "node:net";
import { load } from "js-yaml";
import type { ResourceRequirements } from "#cluster/api/generated/core-v1.ts";
import { parseQuantity } from "#cluster/api/quantity.ts";
import { type Labels, own } from "./decide.ts";
import type { InjectionProblem } from "./problem.ts";

/** `all` is Istio's `*`. */
export type PortSet = "all" | readonly number[];
export type CidrSet = "all" | readonly string[];

export interface Readiness {
  periodSeconds: number;
  failureThreshold: number;
  initialDelaySeconds: number;
}

/** The fields of Istio's ProxyConfig that Envoy's start depends on. */
export interface ProxyConfig {
  concurrency?: number;
  drainSeconds?: number;
  terminationSeconds?: number;
  discoveryAddress?: string;
}

export const HOST_PORT = /^[a-zA-Z0-9.-]{1,253}:[0-9]{1,5}$/;
const READINESS = "readiness.status.sidecar.istio.io/";

/** Collects problems while it reads, so that a pod's author sees all of them at once. */
export class AnnotationReader {
  readonly problems: InjectionProblem[] = [];
  readonly #annotations: Labels;

  constructor(annotations: Labels) {
    this.#annotations = annotations;
  }

  text(name: string, pattern = /^\S{1,512}$/): string | undefined {
    const value = own(this.#annotations, name);
    if (value === undefined || pattern.test(value)) return value;
    this.#refuse(name, `${JSON.stringify(value)} must match ${pattern.source}`);
    return undefined;
  }

  oneOf(name: string, allowed: readonly string[]): string | undefined {
    const value = own(this.#annotations, name);
    if (value === undefined || allowed.includes(value)) return value;
    this.#refuse(name, `${JSON.stringify(value)} must be one of ${allowed.join(", ")}`);
    return undefined;
  }

  flag(name: string, fallback: boolean): boolean {
    const value = this.oneOf(name, ["true", "false"]);
    return value === undefined ? fallback : value === "true";
  }

  template(): "sidecar" | "gateway" {
    const name = this.oneOf("inject.istio.io/templates", ["sidecar", "gateway"]);
    return name === "gateway" ? "gateway" : "sidecar";
  }

  /** TPROXY would need a source address that the pod's network keeps; it is refused, not ignored. */
  interception(): "REDIRECT" | "NONE" {
    const mode = this.oneOf("sidecar.istio.io/interceptionMode", ["REDIRECT", "NONE"]);
    return mode === "NONE" ? "NONE" : "REDIRECT";
  }

  resources(defaults: ResourceRequirements): ResourceRequirements {
    const quantity = (name: string): string | undefined => {
      const value = own(this.#annotations, name);
      if (value === undefined || parseQuantity(value).ok) return value;
      this.#refuse(name, `${JSON.stringify(value)} is not a quantity such as 100m or 128Mi`);
      return undefined;
    };
    const requests = definedOnly({
      cpu: quantity("sidecar.istio.io/proxyCPU"),
      memory: quantity("sidecar.istio.io/proxyMemory"),
    });
    const limits = definedOnly({
      cpu: quantity("sidecar.istio.io/proxyCPULimit"),
      memory: quantity("sidecar.istio.io/proxyMemoryLimit"),
    });
    // As Istio: one annotation replaces all the defaults, so that requests never exceed limits.
    if (requests === undefined && limits === undefined) return defaults;
    return { ...(requests && { requests }), ...(limits && { limits }) };
  }

  readiness(): Readiness | null {
    if (own(this.#annotations, "status.sidecar.istio.io/port") === "0") return null;
    return {
      periodSeconds: this.#count(`${READINESS}periodSeconds`, 15),
      failureThreshold: this.#count(`${READINESS}failureThreshold`, 4),
      initialDelaySeconds: this.#count(`${READINESS}initialDelaySeconds`, 0),
    };
  }

  portSet(name: string): PortSet {
    return isAll(own(this.#annotations, name)) ? "all" : this.ports(name);
  }

  ports(name: string): number[] {
    return this.#list(name, (item) => {
      const port = /^[0-9]{1,5}$/.test(item) ? Number(item) : 0;
      return port >= 1 && port <= 65_535 ? port : undefined;
    });
  }

  cidrSet(name: string): CidrSet {
    return isAll(own(this.#annotations, name)) ? "all" : this.cidrs(name);
  }

  cidrs(name: string): string[] {
    return this.#list(name, parseCidr);
  }

  /** The part of ProxyConfig that concerns Envoy itself. */
  proxyConfig(): ProxyConfig {
    const name = "proxy.istio.io/config";
    const text = own(this.#annotations, name);
    if (text === undefined) return {};
    const fields = this.#yamlMap(name, text);
    const concurrency = fields.get("concurrency");
    if (concurrency !== undefined && !isThreadCount(concurrency)) {
      this.#refuse(name, "concurrency must be a whole number from 0 to 128");
    }
    const address = fields.get("discoveryAddress");
    if (address !== undefined && !(typeof address === "string" && HOST_PORT.test(address))) {
      this.#refuse(name, "discoveryAddress must be host:port");
    }
    return {
      ...(isThreadCount(concurrency) && { concurrency }),
      drainSeconds: this.#seconds(name, "drainDuration", fields),
      terminationSeconds: this.#seconds(name, "terminationDrainDuration", fields),
      ...(typeof address === "string" && { discoveryAddress: address }),
    };
  }

  #seconds(name: string, field: string, fields: Map<string, unknown>): number | undefined {
    const value = fields.get(field);
    if (value === undefined) return undefined;
    const match = typeof value === "string" ? /^([0-9]{1,5})(s|m)$/.exec(value) : null;
    if (match === null) {
      this.#refuse(name, `${field} must be whole seconds or minutes, for example 45s`);
      return undefined;
    }
    return Number(match[1]) * (match[2] === "m" ? 60 : 1);
  }

  #yamlMap(name: string, text: string): Map<string, unknown> {
    try {
      const value = load(text);
      if (typeof value === "object" && value !== null && !Array.isArray(value)) {
        return new Map(Object.entries(value));
      }
      this.#refuse(name, "must be a YAML mapping");
    } catch (error) {
      this.#refuse(name, `is not YAML: ${error instanceof Error ? error.message : String(error)}`);
    }
    return new Map();
  }

  #count(name: string, fallback: number): number {
    const value = own(this.#annotations, name);
    if (value === undefined) return fallback;
    if (/^[0-9]{1,6}$/.test(value)) return Number(value);
    this.#refuse(name, `${JSON.stringify(value)} must be a whole number`);
    return fallback;
  }

  #list<T>(name: string, parse: (item: string) => T | undefined): T[] {
    const items = (own(this.#annotations, name) ?? "")
      .split(",")
      .map((item) => item.trim())
      .filter((item) => item !== "");
    return items.flatMap((item) => {
      const value = parse(item);
      if (value !== undefined) return [value];
      this.#refuse(name, `${JSON.stringify(item)} is not valid here`);
      return [];
    });
  }

  #refuse(name: string, message: string): void {
    this.problems.push({ path: `metadata.annotations[${name}]`, message });
  }
}

/** Unset means everything; set but empty means nothing (Istio). */
function isAll(value: string | undefined): boolean {
  return value === undefined || value.trim() === "*";
}

/** An IPv4 network with its host bits cleared (nft wants intervals that don't overlap by accident). */
function parseCidr(text: string): string | undefined {
  const [address = "", bits = "32", ...rest] = text.split("/");
  if (rest.length > 0 || !isIPv4(address)) return undefined;
  if (!/^[0-9]{1,2}$/.test(bits) || Number(bits) > 32) return undefined;
  const value = address.split(".").reduce((sum, part) => sum * 256 + Number(part), 0);
  const size = 2 ** (32 - Number(bits));
  const network = value - (value % size);
  const parts = [24, 16, 8, 0].map((shift) => Math.floor(network / 2 ** shift) % 256);
  return `${parts.join(".")}/${bits}`;
}

function isThreadCount(value: unknown): value is number {
  return Number.isInteger(value) && Number(value) >= 0 && Number(value) <= 128;
}

function definedOnly(
  fields: Record<string, string | undefined>,
): Record<string, string> | undefined {
  const entries = Object.entries(fields).filter(
    (entry): entry is [string, string] => entry[1] !== undefined,
  );
  return entries.length === 0 ? undefined : Object.fromEntries(entries);
}
