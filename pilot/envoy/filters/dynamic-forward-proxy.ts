/** Resolving what a request or a TLS connection asks for, for clusters that resolve on request. */

import { type Extension, extension } from "#pilot/envoy/any.ts";
import { dnsCache } from "#pilot/envoy/dns-cache.ts";

/** envoy.filters.http.dynamic_forward_proxy: by the request's host. */
export function hostResolution(cache: string): Extension {
  return extension(
    "envoy.filters.http.dynamic_forward_proxy",
    "envoy.extensions.filters.http.dynamic_forward_proxy.v3.FilterConfig",
    { dnsCacheConfig: dnsCache(cache) },
  );
}

/** envoy.filters.network.sni_dynamic_forward_proxy: by the server name of TLS. */
export function serverNameResolution(cache: string, port: number): Extension {
  return extension(
    "envoy.filters.network.sni_dynamic_forward_proxy",
    "envoy.extensions.filters.network.sni_dynamic_forward_proxy.v3.FilterConfig",
    { dnsCacheConfig: dnsCache(cache), portValue: port },
  );
}
