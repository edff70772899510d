/**
 * ServiceAccount tokens: JWTs (ES256) in the shape of Kubernetes' bound tokens
 * (KEP-1205; claims `kubernetes.io`), issued by TokenRequest and checked on every request.
 */

import { createPrivateKey, createPublicKey, randomUUID, type KeyObject } from "node:crypto";
import { calculateJwkThumbprint, exportJWK, jwtVerify, SignJWT, type JWK } from "jose";
import { LRUCache } from "lru-cache";
import { isObject, stringAt } from "#cluster/apiserver/schema/json.ts";

export interface BoundObject {
  name: string;
  uid: string;
}

/** What a token says: whose it is and what it ends with. */
export interface TokenClaims {
  namespace: string;
  serviceAccount: BoundObject;
  pod?: BoundObject;
  node?: BoundObject;
  audiences: readonly string[];
  id: string;
}

export interface IssueRequest extends Omit<TokenClaims, "id"> {
  /** Seconds since the epoch. */
  issuedAt: number;
  expiresAt: number;
}

export type Verified = { ok: true; claims: TokenClaims } | { ok: false; message: string };

/** Verified tokens are remembered for so long; their objects are looked up every time. */
const CACHE_MS = 10_000;
const MAX_TOKEN_LENGTH = 16 * 1024;

export class TokenAuthority {
  readonly issuer: string;
  readonly #privateKey: KeyObject;
  readonly #publicKey: KeyObject;
  readonly #verified = new LRUCache<string, Verified>({ max: 2_000, ttl: CACHE_MS });
  #keyId: string | undefined;

  /** `key` is an EC P-256 private key in PEM. */
  constructor(key: string, issuer: string) {
    this.#privateKey = createPrivateKey(key);
    this.#publicKey = createPublicKey(key);
    this.issuer = issuer;
  }

  async issue(request: IssueRequest): Promise<string> {
    const { namespace, serviceAccount, pod, node } = request;
    const kubernetes = { namespace, serviceaccount: serviceAccount, pod, node };
    return new SignJWT({ "kubernetes.io": kubernetes })
      .setProtectedHeader({ alg: "ES256", kid: await this.#kid() })
      .setIssuer(this.issuer)
      .setSubject(serviceAccountUser(namespace, serviceAccount.name))
      .setAudience([...request.audiences])
      .setIssuedAt(request.issuedAt)
      .setNotBefore(request.issuedAt)
      .setExpirationTime(request.expiresAt)
      .setJti(randomUUID())
      .sign(this.#privateKey);
  }

  /** Checks signature, issuer and times; whether its objects exist is the caller's to check. */
  async verify(token: string): Promise<Verified> {
    if (token.length > MAX_TOKEN_LENGTH) return { ok: false, message: "token is too long" };
    const known = this.#verified.get(token);
    if (known !== undefined) return known;
    const result = await this.#check(token);
    if (result.ok) this.#verified.set(token, result);
    return result;
  }

  /** The public key as OpenID discovery serves it (`/openid/v1/jwks`). */
  async jwks(): Promise<{ keys: JWK[] }> {
    const jwk = await exportJWK(this.#publicKey);
    return { keys: [{ ...jwk, use: "sig", alg: "ES256", kid: await this.#kid() }] };
  }

  async #check(token: string): Promise<Verified> {
    try {
      const { payload } = await jwtVerify(token, this.#publicKey, {
        issuer: this.issuer,
        algorithms: ["ES256"],
        requiredClaims: ["exp", "sub", "kubernetes.io"],
      });
      const kubernetes = payload["kubernetes.io"];
      const serviceAccount = boundObject(kubernetes, "serviceaccount");
      const namespace = stringAt(kubernetes, "namespace");
      if (serviceAccount === undefined || namespace === "") {
        return { ok: false, message: "token names no ServiceAccount" };
      }
      const audiences = [payload.aud ?? []].flat();
      const pod = boundObject(kubernetes, "pod");
      const node = boundObject(kubernetes, "node");
      const id = payload.jti ?? "";
      return { ok: true, claims: { namespace, serviceAccount, pod, node, audiences, id } };
    } catch (error) {
      return { ok: false, message: error instanceof Error ? error.message : String(error) };
    }
  }

  async #kid(): Promise<string> {
    this.#keyId ??= await calculateJwkThumbprint(await exportJWK(this.#publicKey));
    return this.#keyId;
  }
}

/** `system:serviceaccount:NAMESPACE:NAME`. */
export function serviceAccountUser(namespace: string, name: string): string {
  return `system:serviceaccount:${namespace}:${name}`;
}

function boundObject(claims: unknown, field: string): BoundObject | undefined {
  if (!isObject(claims)) return undefined;
  const name = stringAt(claims, field, "name");
  return name === "" ? undefined : { name, uid: stringAt(claims, field, "uid") };
}
