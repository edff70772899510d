/** Image references (`[host/]path[:tag][@digest]`) as Docker and containerd read them. */

export interface ImageReference {
  /** Registry host with its port, for example `docker.io` or `127.0.0.1:5000`. */
  domain: string;
  /** Repository path, for example `library/nginx`. */
  path: string;
  /** `latest` when the reference has neither tag nor digest. */
  tag?: string;
  /** `sha256:<64 hex>`. */
  digest?: string;
}

export type ReferenceResult =
  { ok: true; reference: ImageReference } | { ok: false; message: string };

const DOMAIN =
  /^(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*|\[[0-9a-fA-F:]+\])(?::[0-9]{1,5})?$/;
const PATH_PART = /^[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*$/;
const TAG = /^\w[\w.-]{0,127}$/;
const DIGEST = /^sha256:[0-9a-f]{64}$/;
const MAX_NAME_LENGTH = 255;

/** Parses and completes a reference: `nginx` is `docker.io/library/nginx:latest`. */
export function parseImageReference(text: string): ReferenceResult {
  const invalid = (why: string): ReferenceResult => ({
    ok: false,
    message: `couldn't parse image name "${text.slice(0, 300)}": invalid reference format: ${why}`,
  });
  if (text === "" || text.length > 2 * MAX_NAME_LENGTH) return invalid("empty or too long");
  const at = text.indexOf("@");
  const digest = at < 0 ? undefined : text.slice(at + 1);
  if (digest !== undefined && !DIGEST.test(digest)) return invalid("digest must be sha256:<hex>");
  const named = at < 0 ? text : text.slice(0, at);
  const colon = named.lastIndexOf(":");
  const hasTag = colon > named.lastIndexOf("/");
  const tag = hasTag ? named.slice(colon + 1) : digest === undefined ? "latest" : undefined;
  if (tag !== undefined && !TAG.test(tag)) return invalid("bad tag");
  const name = hasTag ? named.slice(0, colon) : named;
  if (name.length > MAX_NAME_LENGTH) return invalid("name is longer than 255 characters");
  const { domain, path } = splitDomain(name);
  if (!DOMAIN.test(domain)) return invalid("bad registry host");
  if (path.toLowerCase() !== path) return invalid("repository name must be lowercase");
  if (!path.split("/").every((part) => PATH_PART.test(part))) return invalid("bad repository path");
  return { ok: true, reference: { domain, path, tag, digest } };
}

function splitDomain(name: string): { domain: string; path: string } {
  const slash = name.indexOf("/");
  const first = slash < 0 ? "" : name.slice(0, slash);
  const isHost = first.includes(".") || first.includes(":") || first === "localhost";
  const domain = isHost ? first : "docker.io";
  const rest = isHost ? name.slice(slash + 1) : name;
  if (domain === "docker.io" || domain === "index.docker.io") {
    return { domain: "docker.io", path: rest.includes("/") ? rest : `library/${rest}` };
  }
  return { domain, path: rest };
}

/** `host/path`, without tag and digest. */
export function imageName(reference: ImageReference): string {
  return `${reference.domain}/${reference.path}`;
}

/** The complete text of a reference. */
export function formatReference(reference: ImageReference): string {
  const tag = reference.tag === undefined ? "" : `:${reference.tag}`;
  const digest = reference.digest === undefined ? "" : `@${reference.digest}`;
  return `${imageName(reference)}${tag}${digest}`;
}
