/** envoy.filters.http.fault: delays and aborts, configured by routes. */

import type { Fault } from "#pilot/ir/route.ts";
import { type Extension, any, duration, extension, fractionalPercent } from "#pilot/envoy/any.ts";

const NAME = "envoy.filters.http.fault";
const TYPE = "envoy.extensions.filters.http.fault.v3.HTTPFault";

export function faultFilter(): Extension {
  return extension(NAME, TYPE);
}

export function faultOfRoute(fault: Fault): Record<string, object> {
  const { delay, abort } = fault;
  return {
    [NAME]: any(TYPE, {
      ...(delay === undefined
        ? {}
        : {
            delay: {
              fixedDelay: duration(delay.durationMs),
              percentage: fractionalPercent(delay.fraction),
            },
          }),
      ...(abort === undefined
        ? {}
        : {
            abort: {
              [abort.code.kind === "http" ? "httpStatus" : "grpcStatus"]: abort.code.value,
              percentage: fractionalPercent(abort.fraction),
            },
          }),
    }),
  };
}
