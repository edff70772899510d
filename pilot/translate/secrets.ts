/** Certificates that a class of proxies may discover: those that its Gateways and rules name. */

import type { Origin } from "#pilot/ir/origin.ts";
import type { IrProblem } from "#pilot/ir/scope-ir.ts";
import type { Secret, SecretContent } from "#pilot/ir/secret.ts";
import {
  type Credential,
  type CredentialReference,
  parseCredential,
} from "#pilot/model/credential.ts";
import {
  type CredentialUse,
  certificateFiles,
  credentialUses,
  trustFile,
} from "#pilot/model/credential-use.ts";
import { compareText } from "#pilot/model/object.ts";
import { type PushContext, objectOf } from "#pilot/model/push-context.ts";
import type { ProxyScope } from "#pilot/model/scope.ts";
import { certificateOf, trustOf } from "./credential-content.ts";
import { type Translated, originOf } from "./result.ts";

type Found =
  | { readonly ok: true; readonly content: SecretContent; readonly credential?: Credential }
  | { readonly ok: false; readonly reason: string; readonly message: string };

/**
 * A proxy gets a Secret of its own namespace only, and only if something that applies to it names
 * it. What can't be served is left out, a problem of whoever names it: a server without its
 * certificate refuses connections, and all others go on.
 */
export function translateSecrets(
  context: PushContext,
  scope: ProxyScope,
): Translated<readonly Secret[]> {
  const problems: IrProblem[] = [];
  const drafts = new Map<string, { content: SecretContent; origins: Origin[] }>();
  for (const use of credentialUses(context, scope)) {
    const name = resourceOf(use);
    const found = find(context, scope, use);
    if (!found.ok) {
      const { reason, message } = found;
      problems.push({ object: use.object, path: use.path, severity: "error", reason, message });
      continue;
    }
    const origins = drafts.get(name)?.origins ?? [];
    if (found.credential !== undefined && origins.length === 0) {
      origins.push(originOf(found.credential.key));
    }
    origins.push(originOf(use.object, use.path));
    drafts.set(name, { content: found.content, origins });
  }
  const secrets = [...drafts].map(([name, { content, origins }]) => ({ name, content, origins }));
  secrets.sort((left, right) => compareText(left.name, right.name));
  return { value: secrets, problems };
}

/** The name that the transport security of listeners and clusters has for it. */
export function resourceOf({ source }: CredentialUse): string {
  switch (source.kind) {
    case "named":
      return source.resource;
    case "files":
      return certificateFiles(source.certificate, source.privateKey);
    case "file":
      return trustFile(source.file);
  }
}

function find(context: PushContext, scope: ProxyScope, use: CredentialUse): Found {
  const { source } = use;
  if (source.kind === "file") {
    return { ok: true, content: { kind: "trust-file", path: source.file } };
  }
  if (source.kind === "files") {
    const { certificate, privateKey } = source;
    return { ok: true, content: { kind: "certificate-files", certificate, privateKey } };
  }
  const reference = parseCredential(source.resource, scope.namespace);
  if (reference === undefined || (use.purpose === "certificate" && reference.trustOnly)) {
    const message = "is no name of a Secret with a certificate: NAME, or kubernetes://NAME";
    return { ok: false, reason: "InvalidCredentialName", message };
  }
  return findNamed(context, scope, use, reference);
}

function findNamed(
  context: PushContext,
  scope: ProxyScope,
  use: CredentialUse,
  reference: CredentialReference,
): Found {
  const { namespace } = reference;
  const isSecret = reference.keys.every((key) => key.startsWith("Secret/"));
  if (isSecret && namespace !== scope.namespace) {
    const message = `the proxies run in namespace ${scope.namespace} and get Secrets of that one only, not of ${namespace}`;
    return { ok: false, reason: "SecretNotAllowed", message };
  }
  const credential = reference.keys
    .map((key) => objectOf(context, key))
    .find((object) => object?.kind === "Credential");
  const name = use.purpose === "trust" ? reference.name.replace(/-cacert$/, "") : reference.name;
  if (credential === undefined) {
    const kind = isSecret ? "Secret" : "ConfigMap";
    const fields = use.purpose === "trust" ? "ca.crt" : "tls.crt and tls.key";
    const message = `${kind} ${name} isn't in namespace ${namespace}: create it there, with ${fields}`;
    return { ok: false, reason: "SecretNotFound", message };
  }
  const result = use.purpose === "trust" ? trustOf(credential) : certificateOf(credential);
  if (result.ok) return { ok: true, content: result.content, credential };
  const [kind = ""] = credential.key.split("/");
  const message = `${kind} ${credential.name} in namespace ${namespace} ${result.detail}`;
  return { ok: false, reason: result.reason, message };
}
