/** envoy.extensions.common.dynamic_forward_proxy.v3.DnsCacheConfig. */

/** Hosts whose answers are kept; Envoy refuses requests for more. */
const MAX_HOSTS = 1024;

/** Answers are shared by everything that names the same cache, which must say the same of it. */
export function dnsCache(name: string): object {
  return { name, dnsLookupFamily: "V4_ONLY", maxHosts: MAX_HOSTS };
}
