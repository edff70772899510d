/** Whether an address is this host's loopback, in IPv4 or IPv6. */
export function isLoopback(address: string): boolean {
  return address === "::1" || address === "localhost" || address.startsWith("127.");
}
