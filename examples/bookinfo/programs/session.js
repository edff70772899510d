/** Who is signed in: a name in a cookie. A demo, so there is no password to check. */

const COOKIE = "bookinfo-user";
const MAX_NAME = 64;
const ATTRIBUTES = "Path=/; HttpOnly; SameSite=Lax";

/**
 * Empty when nobody is. Only what may stand in a header counts.
 *
 * @param {import("node:http").IncomingMessage} request
 * @returns {string}
 */
export function userOf(request) {
  for (const part of (request.headers.cookie ?? "").split(";")) {
    const [name, value = ""] = part.trim().split("=", 2);
    if (name === COOKIE) return clean(value);
  }
  return "";
}

/** @param {string} user */
export function sessionCookie(user) {
  return `${COOKIE}=${clean(user)}; ${ATTRIBUTES}`;
}

export function clearedSession() {
  return `${COOKIE}=; Max-Age=0; ${ATTRIBUTES}`;
}

/** @param {string} name */
function clean(name) {
  return name.replaceAll(/[^a-zA-Z0-9._@-]/g, "").slice(0, MAX_NAME);
}
