/** The page that people see, and an API; calls `details` and `reviews` (and `ratings`). */

import { addressOf, forwardedHeaders, getJson } from "./call.js";
import { productPage, startPage } from "./page.js";
import { bodyOf, idAfter, json, notFound, serve } from "./server.js";
import { clearedSession, sessionCookie, userOf } from "./session.js";

const TIMEOUT_MS = 3_000;
// Istio's Bookinfo tries twice on purpose: its fault-injection task relies on six seconds.
const REVIEWS_ATTEMPTS = 2;

/** @typedef {import("node:http").IncomingMessage} Request */
/** @typedef {import("./call.js").Answer} Answer */
/** @typedef {import("./server.js").Reply} Reply */
/** @typedef {Record<string, string>} Headers */

const PRODUCTS = [
  {
    id: 0,
    title: "The Comedy of Errors",
    descriptionHtml:
      'One of <b>William Shakespeare</b>\'s early plays and his shortest: two pairs of twins, separated at birth, meet in one town and are taken for each other (<a href="https://en.wikipedia.org/wiki/The_Comedy_of_Errors">Wikipedia</a>).',
  },
];
const [PRODUCT] = PRODUCTS;

serve("productpage", async (request, url) => {
  switch (url.pathname) {
    case "/":
    case "/index.html":
      return html(startPage());
    case "/health":
      return { status: 200, body: "Product page is healthy", type: "text/plain" };
    case "/login":
      return login(request, url);
    case "/logout":
      return backTo(request, clearedSession());
    case "/productpage":
      return page(request);
    case "/api/v1/products":
      return json(200, PRODUCTS);
    default:
      return (await api(request, url)) ?? notFound(url);
  }
});

/**
 * @param {Request} request
 * @returns {Promise<Reply>}
 */
async function page(request) {
  const headers = headersFor(request);
  const [details, reviews] = await Promise.all([detailsOf(0, headers), reviewsOf(0, headers)]);
  const book = { title: PRODUCT.title, descriptionHtml: PRODUCT.descriptionHtml };
  return html(productPage({ ...book, user: userOf(request), details, reviews }));
}

/**
 * @param {Request} request
 * @param {URL} url
 * @returns {Promise<Reply | undefined>}
 */
async function api(request, url) {
  const headers = headersFor(request);
  const calls = [
    { rest: "/reviews", call: reviewsOf },
    { rest: "/ratings", call: ratingsOf },
    { rest: "", call: detailsOf },
  ];
  for (const { rest, call } of calls) {
    const id = idAfter(url, "/api/v1/products", rest);
    if (id === "invalid") return json(400, { error: "please provide numeric product id" });
    if (id !== undefined) {
      const answer = await call(id, headers);
      return json(answer.status, answer.body);
    }
  }
  return undefined;
}

/**
 * The session's user is the mesh's header `end-user`, by which routes may choose.
 *
 * @param {Request} request
 * @returns {Headers}
 */
function headersFor(request) {
  const headers = forwardedHeaders(request);
  const user = userOf(request);
  return user === "" ? headers : { ...headers, "end-user": user };
}

/**
 * @param {number} id
 * @param {Headers} headers
 * @returns {Promise<Answer>}
 */
async function detailsOf(id, headers) {
  const answer = await getJson(addressOf("details"), `/details/${id}`, headers, TIMEOUT_MS);
  return orSorry(answer, "product details");
}

/**
 * @param {number} id
 * @param {Headers} headers
 * @returns {Promise<Answer>}
 */
async function reviewsOf(id, headers) {
  /** @type {Answer} */
  let answer = { status: 0, body: undefined };
  for (let attempt = 0; attempt < REVIEWS_ATTEMPTS && answer.status !== 200; attempt += 1) {
    answer = await getJson(addressOf("reviews"), `/reviews/${id}`, headers, TIMEOUT_MS);
  }
  return orSorry(answer, "product reviews");
}

/**
 * @param {number} id
 * @param {Headers} headers
 * @returns {Promise<Answer>}
 */
async function ratingsOf(id, headers) {
  const answer = await getJson(addressOf("ratings"), `/ratings/${id}`, headers, TIMEOUT_MS);
  return orSorry(answer, "product ratings");
}

/**
 * @param {Answer} answer
 * @param {string} what
 * @returns {Answer}
 */
function orSorry(answer, what) {
  if (answer.status === 200) return answer;
  return {
    status: answer.status === 0 ? 500 : answer.status,
    body: { error: `Sorry, ${what} are currently unavailable for this book.` },
  };
}

/**
 * @param {Request} request
 * @param {URL} url
 * @returns {Promise<Reply>}
 */
async function login(request, url) {
  const form = request.method === "POST" ? await bodyOf(request) : url.search.slice(1);
  return backTo(request, sessionCookie(new URLSearchParams(form).get("username") ?? ""));
}

/**
 * Only ever to a path of this site, whatever the Referer says.
 *
 * @param {Request} request
 * @param {string} cookie
 * @returns {Reply}
 */
function backTo(request, cookie) {
  const referer = request.headers.referer ?? "";
  const path = URL.canParse(referer) ? new URL(referer).pathname : "/productpage";
  const location = path === "/" || path.startsWith("//") ? "/productpage" : path;
  return { status: 302, body: "", type: "text/plain", headers: { location, "set-cookie": cookie } };
}

/**
 * @param {string} body
 * @returns {Reply}
 */
function html(body) {
  return { status: 200, body, type: "text/html; charset=utf-8" };
}
