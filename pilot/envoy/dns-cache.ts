/** envoy.extensions.common.dynamic_forward_proxy.v3.DnsCacheConfig. */

/** Answers are shared by everything that names the same cache, which must say the same of it. */
export function dnsCache(name: string): object {
  return { name, dnsLookupFamily: "V4_ONLY" };
}
