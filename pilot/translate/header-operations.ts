/** `headers` of rules and destinations: set, add and remove. */

import type { HeaderOperations as Spec, Headers } from "#crds/types/networking-v1.ts";
import type { HeaderOperations } from "#pilot/ir/route.ts";
import { compareText } from "#pilot/model/object.ts";

export interface HeaderChanges {
  readonly requestHeaders?: HeaderOperations;
  readonly responseHeaders?: HeaderOperations;
  /** Setting the request's Host (or `:authority`) is a rewrite, not a header. */
  readonly hostRewrite?: string;
}

export function headerChanges(spec: Headers | undefined): HeaderChanges {
  if (spec === undefined) return {};
  const host = entries(spec.request?.set).find(([name]) => isAuthority(name));
  const request = operations(spec.request);
  const response = operations(spec.response);
  return {
    ...(request === undefined ? {} : { requestHeaders: request }),
    ...(response === undefined ? {} : { responseHeaders: response }),
    ...(host === undefined ? {} : { hostRewrite: host[1] }),
  };
}

function operations(spec: Spec | undefined): HeaderOperations | undefined {
  if (spec === undefined) return undefined;
  const set = entries(spec.set).filter(([name]) => !isAuthority(name));
  const add = entries(spec.add).filter(([name]) => !isAuthority(name));
  const remove = (spec.remove ?? []).filter((name) => !isAuthority(name) && !name.startsWith(":"));
  if (set.length + add.length + remove.length === 0) return undefined;
  return { set, add, remove };
}

function entries(map: Readonly<Record<string, string>> | undefined): [string, string][] {
  return Object.entries(map ?? {}).toSorted(([left], [right]) => compareText(left, right));
}

function isAuthority(name: string): boolean {
  const lower = name.toLowerCase();
  return lower === "host" || lower === ":authority";
}
