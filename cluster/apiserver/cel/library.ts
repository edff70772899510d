/** What Kubernetes adds to CEL's functions, and safe forms of some that the library has. */

import type { Environment } from "@marcbachmann/cel-js";
import { Duration } from "@marcbachmann/cel-js/evaluator";
import { isIP } from "node:net";
import { parseQuantity } from "#cluster/api/quantity.ts";
import { patternError, patternMatches } from "#cluster/apiserver/schema/patterns.ts";

/**
 * Functions of the library that aren't linear in time for every input, and what stands in for them:
 * patterns of the language's own regular expressions, durations.
 */
export const LIBRARY_NAMES: ReadonlyMap<string, string> = new Map([
  ["matches", "re2_matches"],
  ["duration", "go_duration"],
]);

/** An URL as Kubernetes' `url()` gives it: absolute, or an absolute path. */
class KubeUrl {
  readonly url: URL;
  readonly relative: boolean;

  constructor(url: URL, relative: boolean) {
    this.url = url;
    this.relative = relative;
  }
}

/** Adds everything to an environment. */
export function registerLibrary(environment: Environment): void {
  environment
    .registerFunction("string.re2_matches(string): bool", matches)
    .registerFunction("re2_matches(string, string): bool", matches)
    .registerFunction("go_duration(string): google.protobuf.Duration", (text: string) => {
      const duration = durationOf(text);
      if (duration === undefined) throw new Error(`time: invalid duration ${quote(text)}`);
      return duration;
    });
  registerUrls(environment);
  registerLists(environment);
  environment
    .registerFunction("isIP(string): bool", (text: string) => isIP(text) !== 0)
    .registerFunction("isCIDR(string): bool", isCidr)
    .registerFunction("isQuantity(string): bool", (text: string) => parseQuantity(text).ok);
}

function registerUrls(environment: Environment): void {
  const part = (read: (url: KubeUrl) => string) => (url: KubeUrl) => read(url);
  environment
    .registerType("kubernetes.URL", { ctor: KubeUrl, fields: {} })
    .registerFunction("isURL(string): bool", (text: string) => urlOf(text) !== undefined)
    .registerFunction("url(string): kubernetes.URL", (text: string) => {
      const url = urlOf(text);
      if (url === undefined) throw new Error(`URL parse error during conversion from string`);
      return url;
    })
    .registerFunction(
      "kubernetes.URL.getScheme(): string",
      part(({ url, relative }) => (relative ? "" : url.protocol.slice(0, -1))),
    )
    .registerFunction(
      "kubernetes.URL.getHost(): string",
      part(({ url, relative }) => (relative ? "" : url.host)),
    )
    .registerFunction(
      "kubernetes.URL.getHostname(): string",
      part(({ url, relative }) => (relative ? "" : url.hostname)),
    )
    .registerFunction(
      "kubernetes.URL.getPort(): string",
      part(({ url }) => url.port),
    )
    .registerFunction(
      "kubernetes.URL.getEscapedPath(): string",
      part(({ url }) => url.pathname),
    );
}

function registerLists(environment: Environment): void {
  type Comparable = bigint | number | string;
  const least = (list: readonly Comparable[], sign: 1 | -1): Comparable => {
    const [first, ...rest] = list;
    if (first === undefined) throw new Error("min or max called on empty list");
    return rest.reduce((best, one) => ((sign === 1 ? one < best : one > best) ? one : best), first);
  };
  environment
    .registerFunction("list.isSorted(): bool", (list: readonly Comparable[]) =>
      list.every((one, index) => index === 0 || list[index - 1]! <= one),
    )
    .registerFunction("list.min(): dyn", (list: readonly Comparable[]) => least(list, 1))
    .registerFunction("list.max(): dyn", (list: readonly Comparable[]) => least(list, -1))
    .registerFunction("list.sum(): dyn", (list: readonly (bigint | number)[]) =>
      list.reduce(
        (sum, one) =>
          typeof sum === "bigint" && typeof one === "bigint"
            ? sum + one
            : Number(sum) + Number(one),
        0n as bigint | number,
      ),
    )
    .registerFunction("list.indexOf(dyn): int", (list: readonly unknown[], one: unknown) =>
      BigInt(list.indexOf(one)),
    );
}

function matches(text: string, pattern: string): boolean {
  const error = patternError(pattern);
  if (error !== undefined) throw new Error(error);
  return patternMatches(pattern, text);
}

const MAX_URL = 8192;

/** Go's `url.ParseRequestURI`, as far as it matters: a scheme, or a path from the root. */
function urlOf(text: string): KubeUrl | undefined {
  if (text.length > MAX_URL) return undefined;
  if (text.startsWith("/")) {
    const base = "http://localhost";
    return URL.canParse(text, base) ? new KubeUrl(new URL(text, base), true) : undefined;
  }
  return URL.canParse(text) ? new KubeUrl(new URL(text), false) : undefined;
}

function isCidr(text: string): boolean {
  const [address = "", length = "", ...rest] = text.split("/", 3);
  const max = isIP(address) === 4 ? 32 : 128;
  return (
    isIP(address) !== 0 && rest.length === 0 && /^\d{1,3}$/.test(length) && Number(length) <= max
  );
}

const NANOS: Readonly<Record<string, number>> = {
  ns: 1,
  us: 1e3,
  µs: 1e3,
  μs: 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  h: 3600e9,
};
const MAX_DURATION_LENGTH = 64;
const PART = /(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)/gy;

/** Go's `time.ParseDuration`; undefined for anything else. */
export function durationOf(text: string): Duration | undefined {
  if (text.length > MAX_DURATION_LENGTH) return undefined;
  const sign = text.startsWith("-") ? -1 : 1;
  const rest = text.replace(/^[+-]/, "");
  if (rest === "0") return new Duration(0n);
  let nanos = 0;
  let read = 0;
  for (const [part, number, unit] of rest.matchAll(PART)) {
    nanos += Number(number) * (NANOS[unit ?? ""] ?? 0);
    read += part.length;
  }
  if (read === 0 || read !== rest.length || nanos > Number.MAX_SAFE_INTEGER * 1000) {
    return undefined;
  }
  const seconds = Math.floor(nanos / 1e9);
  return new Duration(BigInt(sign * seconds), sign * Math.round(nanos - seconds * 1e9));
}

function quote(text: string): string {
  return JSON.stringify(text.slice(0, 100));
}
