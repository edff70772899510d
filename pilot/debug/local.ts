/** Who may see what proxies have: this machine only. */

interface Ends {
  /** Address of the client. */
  remoteAddress?: string | undefined;
  /** The address that it has called. */
  localAddress?: string | undefined;
}

/** From loopback, or from the very address that was called: both are this host. */
export function isLocal({ remoteAddress = "", localAddress }: Ends): boolean {
  const remote = remoteAddress.replace(/^::ffff:/, "");
  return (
    remote === localAddress?.replace(/^::ffff:/, "") ||
    remote.startsWith("127.") ||
    remote === "::1"
  );
}

/** The same of a gRPC call, whose peer is `address:port`. */
export function isLocalPeer({ peer, local }: { peer: string; local: string }): boolean {
  return isLocal({ remoteAddress: hostOf(peer), localAddress: hostOf(local) });
}

function hostOf(text: string): string {
  return text.slice(0, text.lastIndexOf(":"));
}
