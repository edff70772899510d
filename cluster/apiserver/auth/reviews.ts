/** Questions that are asked by creating an object which is answered and never stored. */

import type { KubeObject } from "#cluster/api/meta.ts";
import { statusError } from "#cluster/api/status-error.ts";
import { isObject, stringAt } from "#cluster/apiserver/schema/json.ts";
import type { RequestInfo, Verb } from "#cluster/apiserver/server/request.ts";
import { authenticateToken, type Authenticator } from "./authenticate.ts";
import { authorize, rulesOf } from "./authorize.ts";
import type { User } from "./user.ts";

/** A resource that can only be created; discovery lists it beside the table of kinds. */
export interface ReviewResource {
  group: string;
  version: string;
  kind: string;
  plural: string;
  namespaced: boolean;
  /** The status of the answer. */
  answer(review: KubeObject, by: ReviewContext): unknown;
}

export interface ReviewContext {
  user: User;
  authenticator: Authenticator;
}

const authentication = { group: "authentication.k8s.io", version: "v1", namespaced: false };
const authorization = { group: "authorization.k8s.io", version: "v1", namespaced: false };

export const REVIEWS: readonly ReviewResource[] = [
  {
    ...authentication,
    kind: "SelfSubjectReview",
    plural: "selfsubjectreviews",
    answer: (_, { user }) => ({ userInfo: userInfo(user) }),
  },
  { ...authentication, kind: "TokenReview", plural: "tokenreviews", answer: reviewToken },
  {
    ...authorization,
    kind: "SelfSubjectAccessReview",
    plural: "selfsubjectaccessreviews",
    answer: (review, { user }) => reviewAccess(user, review),
  },
  {
    ...authorization,
    kind: "SelfSubjectRulesReview",
    plural: "selfsubjectrulesreviews",
    answer: (_, { user }) => ({ ...rulesOf(user), incomplete: false }),
  },
  {
    ...authorization,
    kind: "SubjectAccessReview",
    plural: "subjectaccessreviews",
    answer: (review) => reviewAccess(subjectOf(review), review),
  },
  {
    ...authorization,
    kind: "LocalSubjectAccessReview",
    plural: "localsubjectaccessreviews",
    namespaced: true,
    answer: (review) => reviewAccess(subjectOf(review), review),
  },
];

export function findReview(
  group: string,
  version: string,
  plural: string,
): ReviewResource | undefined {
  return REVIEWS.find(
    (review) => review.group === group && review.version === version && review.plural === plural,
  );
}

/** authentication/v1 UserInfo. */
export function userInfo(user: User): Record<string, unknown> {
  return { username: user.name, uid: user.uid, groups: user.groups, extra: user.extra };
}

async function reviewToken(review: KubeObject, { authenticator }: ReviewContext): Promise<unknown> {
  const { spec } = review;
  const asked = isObject(spec) && Array.isArray(spec.audiences) ? spec.audiences.map(String) : [];
  const audiences = asked.length > 0 ? asked : authenticator.audiences;
  const result = await authenticateToken(authenticator, stringAt(spec, "token"), audiences);
  if (!result.ok) return { authenticated: false, user: {}, error: result.message };
  return { authenticated: true, user: userInfo(result.user), audiences: result.audiences };
}

function subjectOf({ spec }: KubeObject): User {
  const groups = isObject(spec) && Array.isArray(spec.groups) ? spec.groups.map(String) : [];
  return { name: stringAt(spec, "user"), uid: stringAt(spec, "uid"), groups };
}

function reviewAccess(user: User, { spec }: KubeObject): unknown {
  const reason = authorize(user, askedFor(spec));
  return reason === undefined ? { allowed: false } : { allowed: true, reason };
}

function askedFor(spec: unknown): RequestInfo {
  const path = isObject(spec) ? spec.nonResourceAttributes : undefined;
  if (isObject(path)) {
    return { kind: "path", verb: stringAt(path, "verb"), path: stringAt(path, "path") };
  }
  const asked = isObject(spec) ? spec.resourceAttributes : undefined;
  if (!isObject(asked)) {
    throw statusError(
      "BadRequest",
      "spec: one of resourceAttributes and nonResourceAttributes is required",
    );
  }
  return {
    kind: "resource",
    // Any other word is a verb that nothing allows, except to those who may do everything.
    verb: stringAt(asked, "verb") as Verb,
    group: stringAt(asked, "group"),
    version: stringAt(asked, "version"),
    plural: stringAt(asked, "resource"),
    namespace: stringAt(asked, "namespace"),
    name: stringAt(asked, "name"),
    subresource: stringAt(asked, "subresource"),
  };
}
