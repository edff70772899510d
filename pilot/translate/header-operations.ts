/** `headers` of rules and destinations: set, add and remove. */

import type { HeaderOperations as Spec, Headers } from "#crds/types/networking-v1.ts";
import type { HeaderOperations } from "#pilot/ir/route.ts";
import { compareText } from "#pilot/model/object.ts";
import { controlProblem } from "./fields.ts";
import { type Reporter, error } from "./result.ts";

export interface HeaderChanges {
  readonly requestHeaders?: HeaderOperations;
  readonly responseHeaders?: HeaderOperations;
}

/** `path` is that of `headers`. What Envoy would refuse is reported and left out, one by one. */
export function headerChanges(
  spec: Headers | undefined,
  report: Reporter,
  path: string,
): HeaderChanges {
  const request = operations(spec?.request, report, `${path}.request`);
  const response = operations(spec?.response, report, `${path}.response`);
  return {
    ...(request === undefined ? {} : { requestHeaders: request }),
    ...(response === undefined ? {} : { responseHeaders: response }),
  };
}

/** Setting the request's Host (or `:authority`) is a rewrite, not a header. */
export function hostHeader(
  spec: Headers | undefined,
  report: Reporter,
  path: string,
): string | undefined {
  const [name, value] =
    Object.entries(spec?.request?.set ?? {}).find(([key]) => isAuthority(key)) ?? [];
  if (value === undefined || value === "") return undefined;
  const invalid = controlProblem(value);
  if (invalid === undefined) return value;
  error(report, `${path}.request.set[${name}]`, "InvalidHeader", invalid);
  return undefined;
}

function operations(
  spec: Spec | undefined,
  report: Reporter,
  path: string,
): HeaderOperations | undefined {
  if (spec === undefined) return undefined;
  const isRequest = path.endsWith("request");
  const valid = (
    map: Readonly<Record<string, string>> | undefined,
    at: string,
  ): [string, string][] =>
    Object.entries(map ?? {})
      .filter(([name]) => !(isRequest && isAuthority(name)))
      .filter(([name, value]) => {
        const invalid = nameProblem(name) ?? valueProblem(value);
        if (invalid === undefined) return true;
        error(report, `${path}.${at}[${name}]`, "InvalidHeader", invalid);
        return false;
      })
      .toSorted(([left], [right]) => compareText(left, right));
  const set = valid(spec.set, "set");
  const add = valid(spec.add, "add");
  const remove = (spec.remove ?? []).filter((name, at) => {
    const invalid = nameProblem(name);
    if (invalid !== undefined) error(report, `${path}.remove[${at}]`, "InvalidHeader", invalid);
    return invalid === undefined;
  });
  if (set.length + add.length + remove.length === 0) return undefined;
  return { set, add, remove };
}

/** RFC 9110, token. */
const NAME = /^[-!#$%&'*+.^_`|~0-9A-Za-z]{1,256}$/;

function nameProblem(name: string): string | undefined {
  if (isAuthority(name)) return "the authority can't be changed like a header: use a rewrite";
  return NAME.test(name) ? undefined : `${JSON.stringify(name)} is not the name of a header`;
}

/** Text, `%%` for a percent sign, and commands of Envoy like `%REQ(x-name):20%`. */
const VALUE = /^(?:[^%]|%%|%[A-Z0-9_]+(?:\([^()]*(?:\([^()]*\)[^()]*)*\))?(?::\d+)?%)*$/;

function valueProblem(value: string): string | undefined {
  if (value.length > 16_384) return "longer than 16384 characters";
  if (VALUE.test(value)) return controlProblem(value);
  return "a % begins a command of Envoy, such as %REQ(x-name)%: write %% for the sign itself";
}

function isAuthority(name: string): boolean {
  const lower = name.toLowerCase();
  return lower === "host" || lower === ":authority";
}
