/** What an Ingress host asks for beyond the virtual host's own name. */

import type { HTTPMatchRequest } from "#crds/types/networking-v1.ts";

export type HostResult =
  { ok: true; match: Pick<HTTPMatchRequest, "authority"> } | { ok: false; message: string };

const NAME = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const MAX_LENGTH = 253;

/**
 * A wildcard is a whole first label and stands for exactly one (page "Ingress", hostname wildcards),
 * while a virtual host's wildcard stands for any number: the rest is a match of the authority.
 */
export function hostMatch(host: string): HostResult {
  if (host === "*") return { ok: true, match: {} };
  const wildcard = host.startsWith("*.");
  const name = wildcard ? host.slice(2) : host;
  if (!NAME.test(name) || host.length > MAX_LENGTH) {
    return { ok: false, message: `${JSON.stringify(host)} is not a DNS name or *. before one` };
  }
  if (!wildcard) return { ok: true, match: {} };
  const regex = `[^.]+\\.${name.replaceAll(".", "\\.")}(:[0-9]+)?`;
  return { ok: true, match: { authority: { regex } } };
}
