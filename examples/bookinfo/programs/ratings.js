/** GET and POST /ratings/<id>: stars by reviewer, kept in memory. */

import { bodyOf, idAfter, json, notFound, serve } from "./server.js";

/** @typedef {Record<string, number>} Ratings */

/** @type {Ratings} */
const DEFAULT = { Reviewer1: 5, Reviewer2: 4 };
const MAX_POSTED = 1_000;
/**
 * Posted ratings; the oldest is forgotten when there are too many.
 *
 * @type {Map<number, Ratings>}
 */
const posted = new Map();

serve("ratings", async (request, url) => {
  if (url.pathname === "/health") return json(200, { status: "Ratings is healthy" });
  const id = idAfter(url, "/ratings");
  if (id === undefined) return notFound(url);
  if (id === "invalid") return json(400, { error: "please provide numeric product ID" });
  if (request.method === "POST") {
    const ratings = parseRatings(await bodyOf(request));
    if (ratings === undefined) return json(400, { error: "please provide valid ratings JSON" });
    posted.delete(id);
    posted.set(id, ratings);
    const [oldest] = posted.keys();
    if (posted.size > MAX_POSTED && oldest !== undefined) posted.delete(oldest);
  }
  return json(200, { id, ratings: posted.get(id) ?? DEFAULT });
});

/**
 * @param {string} text
 * @returns {Ratings | undefined}
 */
function parseRatings(text) {
  try {
    const value = JSON.parse(text);
    if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
    const entries = Object.entries(value);
    return entries.every(([, stars]) => typeof stars === "number")
      ? Object.fromEntries(entries)
      : undefined;
  } catch {
    return undefined;
  }
}
