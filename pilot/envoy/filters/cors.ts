/** envoy.filters.http.cors: cross-origin answers, configured by routes. */

import type { Cors } from "#pilot/ir/route.ts";
import { type Extension, any, extension, nonEmpty, set } from "#pilot/envoy/any.ts";
import { stringMatcher } from "#pilot/envoy/string-matcher.ts";

const NAME = "envoy.filters.http.cors";

export function corsFilter(): Extension {
  return extension(NAME, "envoy.extensions.filters.http.cors.v3.Cors");
}

export function corsOfRoute(cors: Cors): Record<string, object> {
  const list = (values: readonly string[]): string | undefined =>
    values.length === 0 ? undefined : values.join(",");
  return {
    [NAME]: any("envoy.extensions.filters.http.cors.v3.CorsPolicy", {
      ...nonEmpty({ allowOriginStringMatch: cors.allowOrigins.map(stringMatcher) }),
      ...set({
        allowMethods: list(cors.allowMethods),
        allowHeaders: list(cors.allowHeaders),
        exposeHeaders: list(cors.exposeHeaders),
        maxAge: cors.maxAgeSeconds === undefined ? undefined : String(cors.maxAgeSeconds),
        allowCredentials: cors.allowCredentials,
        forwardNotMatchingPreflights: cors.forwardUnmatchedPreflights,
      }),
      filterEnabled: { defaultValue: { numerator: 100, denominator: "HUNDRED" } },
    }),
  };
}
