/** What IPv4 ranges the host already uses, from iproute2's JSON. */

import { readIp } from "./ip.ts";

/** A range that is routed to, or has an address on, a link of the host. */
export interface HostRange {
  cidr: string;
  /** Empty for routes without one (blackhole, unreachable). */
  link: string;
}

/** Routes of every table and all addresses of the namespace that this process runs in. */
export async function readHostRanges(signal?: AbortSignal): Promise<HostRange[]> {
  const [routes, addresses] = await Promise.all([
    readIp(["-4", "route", "show", "table", "all"], { signal }),
    readIp(["-4", "addr", "show"], { signal }),
  ]);
  return [...rangesOfRoutes(routes), ...rangesOfAddresses(addresses)];
}

/** Of `ip -j -4 route show table all`; default routes are no obstacle and left out. */
export function rangesOfRoutes(routes: readonly unknown[]): HostRange[] {
  return routes.flatMap((route) => {
    const { dst, dev } = fieldsOf(route);
    if (typeof dst !== "string" || dst === "default" || dst === "0.0.0.0/0") return [];
    return [{ cidr: dst, link: typeof dev === "string" ? dev : "" }];
  });
}

/** Of `ip -j -4 addr show`. */
export function rangesOfAddresses(links: readonly unknown[]): HostRange[] {
  return links.flatMap((link) => {
    const { ifname, addr_info: addresses } = fieldsOf(link);
    if (typeof ifname !== "string" || !Array.isArray(addresses)) return [];
    return addresses.flatMap((entry: unknown) => {
      const { local, prefixlen } = fieldsOf(entry);
      if (typeof local !== "string" || typeof prefixlen !== "number") return [];
      return [{ cidr: `${local}/${prefixlen}`, link: ifname }];
    });
  });
}

function fieldsOf(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? { ...value } : {};
}
