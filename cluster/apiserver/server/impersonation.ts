/** `kubectl --as`: those who may do everything may also act as somebody else. */

import type { IncomingHttpHeaders } from "node:http";
import { statusError } from "#cluster/api/status-error.ts";
import { AUTHENTICATED, MASTERS, type User } from "#cluster/apiserver/auth/user.ts";

/** The user to act as; throws Forbidden for everybody but system:masters. */
export function impersonated(user: User, headers: IncomingHttpHeaders): User {
  const [name] = [headers["impersonate-user"] ?? []].flat();
  if (name === undefined) return user;
  if (!user.groups.includes(MASTERS)) {
    throw statusError(
      "Forbidden",
      `users "${name}" is forbidden: User "${user.name}" cannot impersonate resource "users" in API group "" at the cluster scope`,
    );
  }
  const groups = [headers["impersonate-group"] ?? []]
    .flat()
    // HTTP/1.1 joins repeated headers.
    .flatMap((value) => value.split(","))
    .map((value) => value.trim())
    .filter(Boolean);
  const serviceAccount = /^system:serviceaccount:([^:]+):[^:]+$/.exec(name)?.[1];
  const implied =
    serviceAccount === undefined
      ? []
      : ["system:serviceaccounts", `system:serviceaccounts:${serviceAccount}`];
  return { name, groups: [...groups, ...implied, AUTHENTICATED] };
}
