/** Clusters that are asked for when something is to go there: HTTP's filter, TCP's field. */

import { type Extension, FROM_ADS, duration, extension } from "#pilot/envoy/any.ts";

/** How long a request waits for its cluster where no discovery server answers. */
const TIMEOUT_MS = 5000;

/** Must come first: a request begins anew when its cluster is there. */
export function onDemandFilter(): Extension {
  return extension(
    "envoy.filters.http.on_demand",
    "envoy.extensions.filters.http.on_demand.v3.OnDemand",
    { odcds: { source: FROM_ADS, timeout: duration(TIMEOUT_MS) } },
  );
}

/** A field of TcpProxy. */
export function onDemandCluster(): object {
  return { onDemand: { odcdsConfig: FROM_ADS, timeout: duration(TIMEOUT_MS) } };
}
