/** ServiceAccount tokens for projected volumes, fetched by TokenRequest and renewed in time. */

import { createHash } from "node:crypto";
import type { Pod, ServiceAccountTokenProjection } from "#cluster/api/generated/core-v1.ts";
import { SERVICE_ACCOUNTS } from "#cluster/api/resources.ts";
import type { KubeClient } from "#cluster/client/client.ts";
import { podIdentity } from "#cluster/kubelet/pod-parts.ts";

interface Token {
  text: string;
  /** When a new one is fetched. */
  renewAtMs: number;
}

interface TokenAnswer {
  status?: { token?: string; expirationTimestamp?: string };
}

const DEFAULT_EXPIRATION_SECONDS = 3600;
const MAX_AGE_MS = 24 * 3600 * 1000;
/** A token is renewed after this share of its life. */
const RENEW_AFTER = 0.8;

export class TokenSource {
  readonly #client: KubeClient;
  /** By pod, then by what was asked for. */
  readonly #tokens = new Map<string, Map<string, Token>>();

  constructor(client: KubeClient) {
    this.#client = client;
  }

  /** Fetches the projection's token unless a fresh one is here. */
  async ensure(pod: Pod, projection: ServiceAccountTokenProjection): Promise<void> {
    const { uid, namespace, name } = podIdentity(pod);
    const key = keyOf(projection);
    const tokens = this.#tokens.get(uid) ?? new Map<string, Token>();
    this.#tokens.set(uid, tokens);
    const known = tokens.get(key);
    if (known !== undefined && known.renewAtMs > Date.now()) return;
    const account = pod.spec?.serviceAccountName ?? "default";
    const seconds = projection.expirationSeconds ?? DEFAULT_EXPIRATION_SECONDS;
    const askedAtMs = Date.now();
    const answer = await this.#client.createSubresource<TokenAnswer>(
      SERVICE_ACCOUNTS,
      { ref: { namespace, name: account }, subresource: "token" },
      {
        apiVersion: "authentication.k8s.io/v1",
        kind: "TokenRequest",
        metadata: { name: account, namespace },
        spec: {
          audiences: projection.audience === undefined ? [] : [projection.audience],
          expirationSeconds: seconds,
          boundObjectRef: { apiVersion: "v1", kind: "Pod", name, uid },
        },
      },
    );
    const text = answer.status?.token;
    if (text === undefined) throw new Error(`the server granted no token for ${account}`);
    const expires = Date.parse(answer.status?.expirationTimestamp ?? "");
    const life = Number.isNaN(expires) ? seconds * 1000 : expires - askedAtMs;
    const renewAtMs = askedAtMs + Math.min(life * RENEW_AFTER, MAX_AGE_MS);
    tokens.set(key, { text, renewAtMs });
  }

  get(pod: Pod, projection: ServiceAccountTokenProjection): string | undefined {
    return this.#tokens.get(podIdentity(pod).uid)?.get(keyOf(projection))?.text;
  }

  forget(podUid: string): void {
    this.#tokens.delete(podUid);
  }
}

function keyOf(projection: ServiceAccountTokenProjection): string {
  const { audience = "", expirationSeconds = 0 } = projection;
  return createHash("sha256")
    .update(JSON.stringify([audience, expirationSeconds]))
    .digest("hex");
}
