/** HTML of the demo: one page, no assets, readable without script. */

import { SCRIPT, STYLE } from "./page-assets.js";

/** @typedef {import("./call.js").Answer} Answer */

/**
 * `descriptionHtml` is trusted markup of our own; `user` is empty when nobody is signed in.
 *
 * @typedef {object} PageInput
 * @property {string} title
 * @property {string} descriptionHtml
 * @property {string} user
 * @property {Answer} details
 * @property {Answer} reviews
 */

/** @param {PageInput} input */
export function productPage(input) {
  return layout(
    input.title,
    `<header>
  <span class="brand">Bookinfo</span>
  ${signIn(input.user)}
</header>
<main>
  <section class="hero">
    <h1>${escape(input.title)}</h1>
    <p>${input.descriptionHtml}</p>
  </section>
  <div class="columns">
    <section class="card"><h2>Details</h2>${details(input.details)}</section>
    <section class="card"><h2>Reviews</h2>${reviews(input.reviews)}</section>
  </div>
  <section class="card" id="split" hidden>
    <h2>Which version answers</h2>
    <div class="bar"><i data-v="v1"></i><i data-v="v2"></i><i data-v="v3"></i></div>
    <p class="legend"><b data-v="v1">v1</b> no stars <b data-v="v2">v2</b> black stars <b data-v="v3">v3</b> red stars
      <button type="button">Start asking</button></p>
  </section>
</main>
<script>${SCRIPT}</script>`,
  );
}

export function startPage() {
  return layout(
    "Bookinfo",
    `<main class="start"><h1>Bookinfo</h1>
<p>A page that four services make together: product page, details, reviews and ratings.</p>
<p><a class="button" href="/productpage">Open the product page</a></p></main>`,
  );
}

/** @param {string} user */
function signIn(user) {
  if (user !== "") {
    return `<form class="user" action="/logout"><span>${escape(user)}</span><button>Sign out</button></form>`;
  }
  return `<form class="user" action="/login" method="post">
    <input name="username" placeholder="user name" aria-label="user name" required maxlength="64">
    <button>Sign in</button></form>`;
}

/** @param {Answer} answer */
function details({ status, body }) {
  if (status !== 200 || !isRecord(body)) return sorry(body);
  const rows = [
    ["Author", body.author],
    ["Year", body.year],
    ["Type", body.type],
    ["Pages", body.pages],
    ["Publisher", body.publisher],
    ["Language", body.language],
    ["ISBN-10", body["ISBN-10"]],
    ["ISBN-13", body["ISBN-13"]],
  ].map(([name, value]) => `<dt>${text(name)}</dt><dd>${text(value)}</dd>`);
  return `<dl>${rows.join("")}</dl>`;
}

/** @param {Answer} answer */
function reviews({ status, body }) {
  if (status !== 200 || !isRecord(body) || !Array.isArray(body.reviews)) return sorry(body);
  const quotes = body.reviews.filter(isRecord).map(
    (review) =>
      `<blockquote><p>${text(review.text)}</p>
<footer>${text(review.reviewer)} ${stars(review.rating)}</footer></blockquote>`,
  );
  const version = versionOf(body);
  return `${quotes.join("")}
<p class="served">Reviews served by <code>${text(body.podname)}</code> <b data-v="${version}">${version}</b></p>`;
}

/** @param {unknown} rating */
function stars(rating) {
  if (!isRecord(rating)) return "";
  if (typeof rating.stars !== "number") return `<em>${text(rating.error)}</em>`;
  const full = Math.max(0, Math.min(5, Math.round(rating.stars)));
  const color = rating.color === "red" ? "red" : "black";
  return `<span class="stars ${color}" title="${full} of 5">${"★".repeat(full)}${"☆".repeat(5 - full)}</span>`;
}

/**
 * By the stars: v1 has none, v2 black ones, v3 red ones.
 *
 * @param {Record<string, unknown>} body
 */
function versionOf(body) {
  const list = Array.isArray(body.reviews) ? body.reviews : [];
  const ratings = list.map((review) => (isRecord(review) ? review.rating : undefined));
  if (ratings.every((rating) => rating === undefined)) return "v1";
  return ratings.some((rating) => isRecord(rating) && rating.color === "red") ? "v3" : "v2";
}

/** @param {unknown} body */
function sorry(body) {
  const message = isRecord(body) && typeof body.error === "string" ? body.error : "No answer.";
  return `<p class="sorry">${escape(message)}</p>`;
}

/**
 * @param {string} title
 * @param {string} body
 */
function layout(title, body) {
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>${escape(title)}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,"><style>${STYLE}</style></head>
<body>${body}</body></html>
`;
}

/** @param {unknown} value */
function text(value) {
  return typeof value === "string" || typeof value === "number" ? escape(String(value)) : "";
}

/** @type {Readonly<Record<string, string>>} */
const ENTITIES = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/** @param {string} value */
function escape(value) {
  return value.replaceAll(/[&<>"']/g, (character) => ENTITIES[character] ?? "");
}

/**
 * @param {unknown} value
 * @returns {value is Record<string, unknown>}
 */
function isRecord(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
