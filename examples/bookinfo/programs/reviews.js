/**
 * GET /reviews/<id>: what readers say. With ENABLE_RATINGS=true the stars come from `ratings`, in
 * STAR_COLOR; that is the difference between the versions v1, v2 and v3.
 */

import { addressOf, forwardedHeaders, getJson } from "./call.js";
import { idAfter, json, notFound, serve } from "./server.js";

/** @typedef {{ stars: number; color: string } | { error: string }} Rating */

const { env } = process;
const WITH_RATINGS = env.ENABLE_RATINGS === "true";
const COLOR = env.STAR_COLOR ?? "black";
// As in Istio's Bookinfo: v2 waits longer than its caller does, which its fault-injection task shows.
const RATINGS_TIMEOUT_MS = COLOR === "black" ? 10_000 : 2_500;
const PODNAME = env.HOSTNAME ?? "unknown";
const CLUSTERNAME = env.CLUSTER_NAME ?? "null";

const REVIEWS = [
  {
    reviewer: "Reviewer1",
    text: "Two pairs of twins and one long day of mix-ups: I laughed from the first act to the last.",
  },
  {
    reviewer: "Reviewer2",
    text: "Great fun and quick to read. Those who look for depth will find more of it in his later plays.",
  },
];

serve("reviews", async (request, url) => {
  if (url.pathname === "/health") return json(200, { status: "Reviews is healthy" });
  const id = idAfter(url, "/reviews");
  if (id === undefined) return notFound(url);
  if (id === "invalid") return json(400, { error: "please provide numeric product id" });
  const ratings = WITH_RATINGS ? await ratingsOf(id, forwardedHeaders(request)) : undefined;
  return json(200, {
    id: String(id),
    podname: PODNAME,
    clustername: CLUSTERNAME,
    reviews: REVIEWS.map((review) =>
      ratings === undefined ? review : { ...review, rating: ratings(review.reviewer) },
    ),
  });
});

/**
 * @param {number} id
 * @param {Record<string, string>} headers
 * @returns {Promise<(reviewer: string) => Rating>}
 */
async function ratingsOf(id, headers) {
  const answer = await getJson(addressOf("ratings"), `/ratings/${id}`, headers, RATINGS_TIMEOUT_MS);
  const stars = answer.status === 200 ? starsIn(answer.body) : undefined;
  return (reviewer) => {
    const given = stars?.get(reviewer);
    return given === undefined
      ? { error: "Ratings service is currently unavailable" }
      : { stars: given, color: COLOR };
  };
}

/**
 * @param {unknown} body
 * @returns {Map<string, number> | undefined}
 */
function starsIn(body) {
  if (typeof body !== "object" || body === null || !("ratings" in body)) return undefined;
  const { ratings } = body;
  if (typeof ratings !== "object" || ratings === null) return undefined;
  return new Map(Object.entries(ratings).filter(([, stars]) => typeof stars === "number"));
}
