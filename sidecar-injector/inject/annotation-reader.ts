/** Reads typed values out of a pod's annotations and collects what is wrong with them. */

import { isIPv4, isIPv6 } from "node:net";
import type { ResourceRequirements } from "#cluster/api/generated/core-v1.ts";
import { parseQuantity } from "#cluster/api/quantity.ts";
import { type Labels, own } from "./pod-input.ts";
import type { InjectionProblem } from "./problem.ts";

/** `all` is Istio's `*`. */
export type PortSet = "all" | readonly number[];
export type CidrSet = "all" | readonly string[];

/** Collects problems while it reads, so that a pod's author sees all of them at once. */
export class AnnotationReader {
  readonly problems: InjectionProblem[] = [];
  /** What was understood but changes nothing, in the words of the pod's author. */
  readonly warnings: string[] = [];
  readonly #annotations: Labels;

  constructor(annotations: Labels) {
    this.#annotations = annotations;
  }

  raw(name: string): string | undefined {
    return own(this.#annotations, name);
  }

  text(name: string, pattern = /^\S{1,512}$/): string | undefined {
    const value = this.raw(name);
    if (value === undefined || pattern.test(value)) return value;
    this.refuse(name, `${JSON.stringify(value)} must match ${pattern.source}`);
    return undefined;
  }

  oneOf(name: string, allowed: readonly string[]): string | undefined {
    const value = this.raw(name);
    if (value === undefined || allowed.includes(value)) return value;
    this.refuse(name, `${JSON.stringify(value)} must be one of ${allowed.join(", ")}`);
    return undefined;
  }

  flag(name: string, fallback: boolean): boolean {
    const value = this.oneOf(name, ["true", "false"]);
    return value === undefined ? fallback : value === "true";
  }

  /** Undefined where no annotation asks for anything. */
  resources(): ResourceRequirements | undefined {
    const quantity = (name: string): string | undefined => {
      const value = this.raw(name);
      if (value === undefined || parseQuantity(value).ok) return value;
      this.refuse(name, `${JSON.stringify(value)} is not a quantity such as 100m or 128Mi`);
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
    if (requests === undefined && limits === undefined) return undefined;
    return { ...(requests && { requests }), ...(limits && { limits }) };
  }

  count(name: string, fallback: number): number {
    const value = this.raw(name);
    if (value === undefined) return fallback;
    if (/^[0-9]{1,6}$/.test(value)) return Number(value);
    this.refuse(name, `${JSON.stringify(value)} must be a whole number`);
    return fallback;
  }

  /** Comma-separated; `fallback` is the administrator's value in the same form. */
  list(name: string, fallback: string, pattern: RegExp): string[] {
    return this.#list(name, fallback, (item) => (pattern.test(item) ? item : undefined));
  }

  portSet(name: string, fallback: string): PortSet {
    return isAll(this.raw(name) ?? fallback) ? "all" : this.ports(name, fallback);
  }

  ports(name: string, fallback: string): number[] {
    return this.#list(name, fallback, (item) => {
      const port = /^[0-9]{1,5}$/.test(item) ? Number(item) : 0;
      return port >= 1 && port <= 65_535 ? port : undefined;
    });
  }

  cidrSet(name: string, fallback: string): CidrSet {
    return isAll(this.raw(name) ?? fallback) ? "all" : this.cidrs(name, fallback);
  }

  cidrs(name: string, fallback: string): string[] {
    return this.#list(name, fallback, parseCidr);
  }

  /** A JSON object, each of whose members is an object. */
  jsonObjects(name: string): [string, Record<string, unknown>][] {
    const text = this.raw(name);
    if (text === undefined) return [];
    try {
      const value: unknown = JSON.parse(text);
      if (isRecord(value)) {
        const entries = Object.entries(value);
        const objects = entries.filter((entry): entry is [string, Record<string, unknown>] =>
          isRecord(entry[1]),
        );
        if (objects.length === entries.length) return objects;
      }
      this.refuse(name, "must be a JSON object of objects, each under its name");
    } catch (error) {
      this.refuse(name, `is not JSON: ${error instanceof Error ? error.message : String(error)}`);
    }
    return [];
  }

  refuse(name: string, message: string): void {
    this.problems.push({ path: `metadata.annotations[${name}]`, message });
  }

  #list<T>(name: string, fallback: string, parse: (item: string) => T | undefined): T[] {
    const items = (this.raw(name) ?? fallback)
      .split(",")
      .map((item) => item.trim())
      .filter((item) => item !== "");
    return items.flatMap((item) => {
      const value = parse(item);
      if (value !== undefined) return [value];
      this.refuse(name, `${JSON.stringify(item)} is not valid here`);
      return [];
    });
  }
}

/** Set but empty means nothing (Istio). */
function isAll(value: string): boolean {
  return value.trim() === "*";
}

/** A network with its host bits cleared (of IPv4; nft clears those of IPv6 itself). */
function parseCidr(text: string): string | undefined {
  const [address = "", bits, ...rest] = text.split("/");
  if (rest.length > 0 || (bits !== undefined && !/^[0-9]{1,3}$/.test(bits))) return undefined;
  if (isIPv6(address) && !address.includes("%")) {
    return Number(bits ?? 128) > 128 ? undefined : `${address}/${bits ?? "128"}`;
  }
  if (!isIPv4(address) || Number(bits ?? 32) > 32) return undefined;
  const value = address.split(".").reduce((sum, part) => sum * 256 + Number(part), 0);
  const size = 2 ** (32 - Number(bits ?? 32));
  const network = value - (value % size);
  const parts = [24, 16, 8, 0].map((shift) => Math.floor(network / 2 ** shift) % 256);
  return `${parts.join(".")}/${bits ?? "32"}`;
}

function definedOnly(
  fields: Record<string, string | undefined>,
): Record<string, string> | undefined {
  const entries = Object.entries(fields).filter(
    (entry): entry is [string, string] => entry[1] !== undefined,
  );
  return entries.length === 0 ? undefined : Object.fromEntries(entries);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
