/** Who asks: a client certificate of our CA, a ServiceAccount's token, or nobody in particular. */

import type { PeerCertificate, TLSSocket } from "node:tls";
import { NODES as NODE_KIND, PODS, SERVICE_ACCOUNTS } from "#cluster/api/resources.ts";
import type { Store } from "#cluster/storage/store.ts";
import { objectKey } from "#cluster/apiserver/registry/keys.ts";
import { serviceAccountUser, type TokenAuthority, type TokenClaims } from "./tokens.ts";
import { ANONYMOUS, AUTHENTICATED, type User } from "./user.ts";

export type Authentication = { ok: true; user: User } | { ok: false; message: string };

export interface Authenticator {
  readonly store: Store;
  readonly tokens: TokenAuthority;
  /** A token for the API server must name one of these. */
  readonly audiences: readonly string[];
}

/** A connection's certificate doesn't change: its user is read once. */
const certificateUsers = new WeakMap<object, User | "none">();

/** `connection` identifies the connection (socket or HTTP/2 session) that `socket` belongs to. */
export function certificateUser(connection: object, socket: TLSSocket): User | undefined {
  let user = certificateUsers.get(connection);
  if (user === undefined) {
    user = (socket.authorized ? userOf(socket.getPeerCertificate()) : undefined) ?? "none";
    certificateUsers.set(connection, user);
  }
  return user === "none" ? undefined : user;
}

/** Kubernetes' reading: the common name is the user, organizations are the groups. */
function userOf(certificate: PeerCertificate): User | undefined {
  // An attribute that occurs twice comes as an array, whatever the type says.
  const subject: Partial<Record<"CN" | "O", string | string[]>> = certificate.subject ?? {};
  const [name] = [subject.CN ?? []].flat();
  if (name === undefined || name === "") return undefined;
  return { name, groups: [...[subject.O ?? []].flat(), AUTHENTICATED] };
}

/** The certificate wins over a token; no credentials at all is the anonymous user. */
export async function authenticate(
  authenticator: Authenticator,
  certificate: User | undefined,
  authorization: string | undefined,
): Promise<Authentication> {
  if (certificate !== undefined) return { ok: true, user: certificate };
  if (authorization === undefined || authorization === "") return { ok: true, user: ANONYMOUS };
  const token = /^Bearer +(\S+)$/i.exec(authorization)?.[1];
  if (token === undefined) return { ok: false, message: "only bearer tokens are understood" };
  const result = await authenticateToken(authenticator, token, authenticator.audiences);
  return result.ok ? { ok: true, user: result.user } : result;
}

export type TokenAuthentication =
  { ok: true; user: User; audiences: readonly string[] } | { ok: false; message: string };

/**
 * Checks a token, that it is meant for one of these audiences, and that its ServiceAccount, pod
 * and node are still there. `audiences` of the result are those that the token shares.
 */
export async function authenticateToken(
  authenticator: Authenticator,
  token: string,
  audiences: readonly string[],
): Promise<TokenAuthentication> {
  const verified = await authenticator.tokens.verify(token);
  if (!verified.ok) return verified;
  const { claims } = verified;
  const shared = audiences.filter((audience) => claims.audiences.includes(audience));
  if (shared.length === 0) {
    const wanted = audiences.join(", ");
    return { ok: false, message: `token is for ${claims.audiences.join(", ")}, not ${wanted}` };
  }
  const missing = missingObject(authenticator.store, claims);
  if (missing !== undefined) return { ok: false, message: `${missing} no longer exists` };
  return { ok: true, user: tokenUser(claims), audiences: shared };
}

function missingObject(store: Store, claims: TokenClaims): string | undefined {
  const { namespace, serviceAccount, pod, node } = claims;
  const bound = [
    { key: objectKey(SERVICE_ACCOUNTS, namespace, serviceAccount.name), uid: serviceAccount.uid },
    ...(pod === undefined ? [] : [{ key: objectKey(PODS, namespace, pod.name), uid: pod.uid }]),
    ...(node === undefined ? [] : [{ key: objectKey(NODE_KIND, "", node.name), uid: node.uid }]),
  ];
  return bound.find(({ key, uid }) => !hasUid(store, key, uid))?.key;
}

/** The uid is among the first members, where the server writes it; no need to parse. */
function hasUid(store: Store, key: string, uid: string): boolean {
  return store.get(key)?.value.includes(`"uid":${JSON.stringify(uid)}`) ?? false;
}

function tokenUser(claims: TokenClaims): User {
  const { namespace, serviceAccount, pod, node } = claims;
  const extra: Record<string, readonly string[]> = {
    "authentication.kubernetes.io/credential-id": [`JTI=${claims.id}`],
  };
  if (pod !== undefined) {
    extra["authentication.kubernetes.io/pod-name"] = [pod.name];
    extra["authentication.kubernetes.io/pod-uid"] = [pod.uid];
  }
  if (node !== undefined) {
    extra["authentication.kubernetes.io/node-name"] = [node.name];
    extra["authentication.kubernetes.io/node-uid"] = [node.uid];
  }
  return {
    name: serviceAccountUser(namespace, serviceAccount.name),
    uid: serviceAccount.uid,
    groups: ["system:serviceaccounts", `system:serviceaccounts:${namespace}`, AUTHENTICATED],
    extra,
  };
}
